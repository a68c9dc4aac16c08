// Features of a clip: one vector for the clip that validation uses, or one for each of a row of windows. Windows overlap,
// so every frame is decoded and resized once and kept while a window needs it; memory does not grow with the video.

import { noGrad } from "../autograd/grad-mode.js";
import { centreSquare, shortSideSize } from "../data/view-crops.js";
import { type ViewSampling, validationFrames, windowStarts } from "../data/view-sampling.js";
import type { ClassifierModel } from "../models/classifier.js";
import { resizeLinear } from "../ops/resize.js";
import { scope } from "../tensor/scope.js";
import { Tensor } from "../tensor/tensor.js";
import { type OpenClip, readFrames } from "./clip-source.js";
import { croppedInput, type FrameMode, type InputSpec, stretchedFrames } from "./model-input.js";

/** Which frames features are made of. */
export interface FeatureViews extends Omit<ViewSampling, "frames"> {
  /** Frames from the start of one window to the next; undefined for one clip, the one of validation. */
  readonly window?: number;
  readonly mode: FrameMode;
}

/** How far the features of a clip are. */
export interface FeatureProgress {
  /** Windows done, and windows in all. */
  readonly done: number;
  readonly total: number;
}

/** (W, D) features of W windows, and the first frame of each. */
export interface ClipFeatures {
  readonly values: Float32Array;
  readonly shape: readonly [windows: number, width: number];
  readonly starts: readonly number[];
}

/** Decoded frames are read so many bytes at a time. */
const CHUNK_BYTES = 2 ** 27;
const CHUNK_FRAMES = 64;

/** `pause` is waited for after every window. */
export async function extractFeatures(
  model: ClassifierModel,
  clip: OpenClip,
  input: InputSpec,
  views: FeatureViews,
  pause: (progress: FeatureProgress) => Promise<void>,
): Promise<ClipFeatures> {
  const { frames, width } = model.config;
  const windows = windowsOf(clip, frames, views);
  const values = new Float32Array(windows.length * width);
  const store = new PreparedFrames(
    clip,
    input,
    views.mode,
    [...new Set(windows.flat())].sort((a, b) => a - b),
  );
  for (const [w, numbers] of windows.entries()) {
    await store.reach(numbers);
    scope(() => {
      const features = noGrad(() => model.features(store.input(numbers)));
      features.readInto(values.subarray(w * width, (w + 1) * width));
    });
    await pause({ done: w + 1, total: windows.length });
  }
  return { values, shape: [windows.length, width], starts: windows.map(([first]) => first) };
}

/** Frame numbers of each window. */
function windowsOf(clip: OpenClip, frames: number, { window, stride, sampling }: FeatureViews): number[][] {
  if (window === undefined) return [validationFrames(clip.frameCount, { frames, stride, sampling }, clip.kind)];
  const span = (frames - 1) * stride + 1;
  return windowStarts(clip.frameCount, span, window).map((start) =>
    Array.from({ length: frames }, (_, t) => start + t * stride),
  );
}

/** Frames ready for the model: u8 (S, S, 3) where they are cropped, f32 (3, S, S) where they are stretched. */
class PreparedFrames {
  readonly #clip: OpenClip;
  readonly #input: InputSpec;
  readonly #mode: FrameMode;
  /** Numbers that are wanted, ascending, and how many of them have been read. */
  readonly #wanted: readonly number[];
  #read = 0;
  readonly #kept = new Map<number, Uint8Array | Float32Array>();

  constructor(clip: OpenClip, input: InputSpec, mode: FrameMode, wanted: readonly number[]) {
    this.#clip = clip;
    this.#input = input;
    this.#mode = mode;
    this.#wanted = wanted;
  }

  /** Forgets what lies before a window's first frame, and reads up to its last. */
  async reach(numbers: readonly number[]): Promise<void> {
    const [first, last] = [Math.min(...numbers), Math.max(...numbers)];
    for (const number of this.#kept.keys()) if (number < first) this.#kept.delete(number);
    const frameBytes = this.#clip.width * this.#clip.height * 3;
    const chunk = Math.max(1, Math.min(CHUNK_FRAMES, Math.floor(CHUNK_BYTES / frameBytes)));
    while (!this.#kept.has(last)) {
      const next = this.#wanted.slice(this.#read, this.#read + chunk);
      this.#prepare(next, await readFrames(this.#clip, next));
      this.#read += next.length;
    }
  }

  /** A window as the model's input. */
  input(numbers: readonly number[]): Tensor {
    const { image } = this.#input;
    const frames = numbers.map((number) => this.#kept.get(number)!);
    const plane = image * image;
    if (this.#mode === "crop") {
      const bytes = new Uint8Array(frames.length * plane * 3);
      for (const [t, frame] of frames.entries()) bytes.set(frame, t * plane * 3);
      return croppedInput(Tensor.fromArray(bytes, [frames.length, image, image, 3]), this.#input);
    }
    const pixels = new Float32Array(3 * frames.length * plane);
    for (const [t, frame] of frames.entries()) {
      for (let c = 0; c < 3; c++) {
        pixels.set(frame.subarray(c * plane, (c + 1) * plane), (c * frames.length + t) * plane);
      }
    }
    return Tensor.fromArray(pixels, [1, 3, frames.length, image, image]);
  }

  #prepare(numbers: readonly number[], pixels: Uint8Array): void {
    const { width, height } = this.#clip;
    const { image, shortSide } = this.#input;
    const plane = image * image;
    scope(() => {
      const decoded = Tensor.fromArray(pixels, [numbers.length, height, width, 3]);
      if (this.#mode === "crop") {
        const to = shortSideSize(this.#clip, shortSide);
        const cropped = resizeLinear(decoded, to, centreSquare(to, image)).readSync() as Uint8Array;
        for (const [i, number] of numbers.entries()) {
          this.#kept.set(number, cropped.slice(i * plane * 3, (i + 1) * plane * 3));
        }
        return;
      }
      const stretched = stretchedFrames(decoded, this.#input, this.#mode === "stretch-normalized").readSync();
      for (const [i, number] of numbers.entries()) {
        const frame = new Float32Array(3 * plane);
        for (let c = 0; c < 3; c++) {
          const at = (c * numbers.length + i) * plane;
          frame.set((stretched as Float32Array).subarray(at, at + plane), c * plane);
        }
        this.#kept.set(number, frame);
      }
    });
  }
}
