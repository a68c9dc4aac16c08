// Class probabilities of one clip: the softmax of every view's scores in f64, averaged over the views (spec 4.11, 4.12).
// One view is the one of validation; several are spread over the clip and along the longer side of its frames. A clip is
// decoded once for all of them, unless that would take too much memory.

import { noGrad } from "../autograd/grad-mode.js";
import { centreSquare, type FrameSize, shortSideSize, spreadSquares } from "../data/view-crops.js";
import { testFrames, type ViewSampling, validationFrames } from "../data/view-sampling.js";
import type { ClassifierModel } from "../models/classifier.js";
import type { CropBox } from "../ops/crop-resize.js";
import { resizeLinear } from "../ops/resize.js";
import { scope } from "../tensor/scope.js";
import { Tensor } from "../tensor/tensor.js";
import { type OpenClip, readFrames } from "./clip-source.js";
import { croppedInput, type InputSpec } from "./model-input.js";

/** Which views of a clip are looked at. */
export interface ClipViews extends Omit<ViewSampling, "frames"> {
  /** Clips spread over the video. */
  readonly segments: number;
  /** Squares spread along the longer side. */
  readonly crops: number;
}

/** Bytes of decoded frames that are kept at most to decode a clip only once. */
const MOST_BYTES = 2 ** 29;

/** (K) Probabilities of the classes. `pause` is waited for between views. */
export async function classifyClip(
  model: ClassifierModel,
  clip: OpenClip,
  input: InputSpec,
  views: ClipViews,
  pause: () => Promise<void>,
): Promise<Float64Array> {
  const sum = new Float64Array(model.config.classes);
  const { to, boxes } = crops(clip, input, views);
  const clips = segments(clip, { ...views, frames: model.config.frames }, views);
  const read = await frameSource(clip, clips);
  for (const frames of clips) {
    const numbers = [...new Set(frames)];
    const pixels = await read(numbers);
    for (const box of boxes) {
      const scores = scope(() => {
        const decoded = Tensor.fromArray(pixels, [numbers.length, clip.height, clip.width, 3]);
        const cropped = repeatFrames(
          resizeLinear(decoded, to, box),
          frames.map((frame) => numbers.indexOf(frame)),
        );
        return noGrad(() => model.forward(croppedInput(cropped, input))).readSync();
      });
      for (const [k, probability] of softmax(scores).entries()) sum[k] += probability / (clips.length * boxes.length);
      await pause();
    }
  }
  return sum;
}

/** Gives frames u8 (n, H, W, 3) by their numbers: out of memory when the frames of all clips fit there. */
async function frameSource(
  clip: OpenClip,
  clips: readonly (readonly number[])[],
): Promise<(numbers: readonly number[]) => Promise<Uint8Array>> {
  const all = [...new Set(clips.flat())].sort((a, b) => a - b);
  const bytes = clip.height * clip.width * 3;
  if (clips.length === 1 || all.length * bytes > MOST_BYTES) return (numbers) => readFrames(clip, numbers);
  const pixels = await readFrames(clip, all);
  const place = new Map(all.map((number, i) => [number, i]));
  return async (numbers) => {
    const out = new Uint8Array(numbers.length * bytes);
    for (const [i, number] of numbers.entries()) {
      const from = place.get(number)! * bytes;
      out.set(pixels.subarray(from, from + bytes), i * bytes);
    }
    return out;
  };
}

/** Frame numbers of each clip. */
function segments(clip: OpenClip, sampling: ViewSampling, { segments, crops }: ClipViews): number[][] {
  if (segments === 1 && crops === 1) return [validationFrames(clip.frameCount, sampling, clip.kind)];
  return testFrames(clip.frameCount, sampling, segments);
}

/** The size that frames are resized to, and the squares that are cut out. */
function crops(clip: OpenClip, { image, shortSide }: InputSpec, views: ClipViews): { to: FrameSize; boxes: CropBox[] } {
  if (views.crops === 1) {
    const to = shortSideSize(clip, shortSide);
    return { to, boxes: [centreSquare(to, image)] };
  }
  const to = shortSideSize(clip, image);
  return { to, boxes: spreadSquares(to, views.crops) };
}

/** Frames u8 (n, S, S, 3) in the order of `slots`: a short video shows some more than once. */
function repeatFrames(frames: Tensor, slots: readonly number[]): Tensor {
  if (slots.length === frames.shape[0] && slots.every((slot, i) => slot === i)) return frames;
  const bytes = frames.readSync() as Uint8Array;
  const [, height, width] = frames.shape;
  const size = height * width * 3;
  const repeated = new Uint8Array(slots.length * size);
  for (const [t, slot] of slots.entries()) repeated.set(bytes.subarray(slot * size, (slot + 1) * size), t * size);
  return Tensor.fromArray(repeated, [slots.length, height, width, 3]);
}

function softmax(scores: ArrayLike<number>): Float64Array {
  let largest = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < scores.length; i++) largest = Math.max(largest, scores[i]);
  const exponentials = Float64Array.from(scores, (score) => Math.exp(score - largest));
  const total = exponentials.reduce((sum, value) => sum + value, 0);
  return exponentials.map((value) => value / total);
}
