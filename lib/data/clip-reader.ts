// Makes the clips of one video: samples frames, decodes them once, crops and resizes them for every view. The pixels are
// a function of the request alone, so it does not matter which worker makes them, or when.

import { setImmediate as turn } from "node:timers/promises";
import { VideomaeError } from "../errors.js";
import { cropResize } from "../ops/crop-resize.js";
import { RandomStream } from "../random.js";
import { scope } from "../tensor/scope.js";
import { Tensor } from "../tensor/tensor.js";
import { type ClipOutcome, type ClipRequest, type ClipShape, clipBytes, pixelType } from "./clip-request.js";
import type { VideoFile } from "./decoder.js";
import { openFrames } from "./decoder-frames.js";
import { cropAsDisplayed } from "./display-crop.js";
import { type DecoderName, findDecoder } from "./find-decoder.js";
import { augmentedClip, middleOfFrames } from "./labelled-view.js";
import { centreCrop, multiScaleCrop } from "./multi-scale-crop.js";
import { centreFrames, sampleFrames } from "./sampling.js";
import type { Source } from "./source.js";
import { TimeLimit } from "./time-limit.js";
import { centreFramesByTime, sampleFramesByTime } from "./time-sampling.js";
import { trainingFrames, validationFrames } from "./view-sampling.js";
import type { WorkSignal } from "./work-signal.js";

const OPEN_FILES = 8;
/** A random stream has room for three numbers: (epoch, place, view + attempt * 2^16). */
const ATTEMPT = 2 ** 16;

/** When to give a file up. */
export interface ReaderLimits {
  /** Seconds that a request may take, opening its file included; default: no limit. */
  readonly seconds?: number;
  /** Ends the request under way when it says to stop. */
  readonly signal?: WorkSignal;
}

export class ClipReader {
  readonly #decoder: DecoderName;
  readonly #limits: ReaderLimits;
  /** Open files, the one used last at the end. */
  readonly #files = new Map<string, VideoFile>();
  /** Decoded frames of one video, u8 (T, height, width, 3). */
  #pixels = new Uint8Array(0);
  #queue: Promise<unknown> = Promise.resolve();

  constructor(decoder: DecoderName, limits: ReaderLimits = {}) {
    this.#decoder = decoder;
    this.#limits = limits;
  }

  /**
   * Writes the clips of a request into its memory; one request at a time, in the order of the calls. A bad file, or one
   * that takes too long, is an outcome; anything else (no decoder, a mistake in the request) rejects.
   */
  make(request: ClipRequest): Promise<ClipOutcome> {
    const made = this.#queue.then(() => this.#make(request));
    this.#queue = made.catch(() => {});
    return made;
  }

  /** Closes the open files, after the requests that are under way. */
  async close(): Promise<void> {
    await this.#queue;
    for (const file of this.#files.values()) file.close();
    this.#files.clear();
  }

  async #make(request: ClipRequest): Promise<ClipOutcome> {
    await turn(); // what node-av held of files that were closed is freed only when the event loop turns
    if (request.source.kind === "video") await findDecoder(this.#decoder);
    const limit = new TimeLimit(this.#limits.seconds, this.#limits.signal);
    let stage: "open" | "read" = "open";
    try {
      const file = await this.#open(request.source, limit);
      checkLength(file, request.clip);
      stage = "read";
      await this.#fill(file, request, limit);
      return { made: true };
    } catch (error) {
      if (!(error instanceof VideomaeError)) throw error;
      this.#forget(request.source);
      // A file that once took too long is not tried again, whatever it was doing.
      return { made: false, stage: limit.over ? "open" : stage, reason: error.message };
    }
  }

  async #fill(file: VideoFile, request: ClipRequest, limit: TimeLimit) {
    const { clip, seed, epoch, place, attempt, evaluation, memory, offset } = request;
    const stream = (purpose: string, view: number) =>
      new RandomStream(seed, purpose, [epoch, place, view + attempt * ATTEMPT]);
    const wanted = framesOf(file, request.source.kind, clip, evaluation ? undefined : stream("data.frames", 0));
    // A short video repeats frames: decoded, cropped and resized once.
    const frames = [...new Set(wanted)];
    const { width, height } = file;
    const frameBytes = width * height * 3;
    if (this.#pixels.length < frames.length * frameBytes) this.#pixels = new Uint8Array(frames.length * frameBytes);
    await file.read(frames, this.#pixels, limit);

    const places = wanted.map((frame) => frames.indexOf(frame));
    const bytes = clipBytes(clip, evaluation) / clip.views;
    scope(() => {
      const decoded = Tensor.fromArray(this.#pixels.subarray(0, frames.length * frameBytes), [
        frames.length,
        height,
        width,
        3,
      ]);
      for (let view = 0; view < clip.views; view++) {
        const start = offset + view * bytes;
        const { labelled } = clip;
        if (pixelType(clip, evaluation) === "f32") {
          const out = new Float32Array(memory, start, bytes / 4);
          augmentedClip(decoded, places, labelled!.augment!, clip.size, stream("data.augment", view), out);
          continue;
        }
        const cropped = labelled
          ? middleOfFrames(decoded, clip.size, labelled.shortSide)
          : cropResize(
              decoded,
              cropAsDisplayed(width, height, clip.pixelAspect === "display" ? file.pixelAspect : 1, (w, h) =>
                evaluation ? centreCrop(w, h) : multiScaleCrop(w, h, clip.size, stream("data.crop", view)),
              ),
              clip.size,
            );
        spread(cropped, places, new Uint8Array(memory, start, bytes));
      }
    });
  }

  async #open(source: Source, limit: TimeLimit): Promise<VideoFile> {
    const key = keyOf(source);
    let file = this.#files.get(key);
    this.#files.delete(key);
    if (file === undefined) {
      for (const [oldest, old] of this.#files) {
        if (this.#files.size < OPEN_FILES) break;
        old.close();
        this.#files.delete(oldest);
      }
      file =
        source.kind === "frames"
          ? await openFrames(source)
          : await (await findDecoder(this.#decoder)).open(source.path, limit);
    }
    this.#files.set(key, file);
    return file;
  }

  #forget(source: Source): void {
    const key = keyOf(source);
    this.#files.get(key)?.close();
    this.#files.delete(key);
  }
}

/** Frames u8 (U, S, S, 3), each at the places where the clip has it, as u8 (T, S, S, 3). */
function spread(frames: Tensor, places: readonly number[], out: Uint8Array): void {
  const picture = out.length / places.length;
  frames.readInto(out.subarray(0, frames.size));
  // A frame lies no further back than the first place that has it, so from the last place on none is overwritten early.
  for (let t = places.length - 1; t >= 0; t--) {
    if (places[t] !== t) out.copyWithin(t * picture, places[t] * picture, (places[t] + 1) * picture);
  }
}

/** The frames of a clip: a random one, or the one of evaluation without a stream. */
function framesOf(file: VideoFile, kind: Source["kind"], clip: ClipShape, stream?: RandomStream): number[] {
  const { frames, stride, rate, labelled } = clip;
  if (labelled !== undefined) {
    const view = { frames, stride, sampling: labelled.sampling };
    return stream ? trainingFrames(file.frameCount, view, stream, kind) : validationFrames(file.frameCount, view, kind);
  }
  if (rate === undefined) {
    const { frameCount } = file;
    return stream ? sampleFrames(frameCount, { frames, stride }, stream) : centreFrames(frameCount, { frames, stride });
  }
  if (file.times === undefined) {
    const hint = "leave out rate, or put such folders in a data set of their own";
    throw new VideomaeError({
      op: file.path,
      expected: "a video, to sample by time",
      got: "a folder of pictures",
      hint,
    });
  }
  const options = { frames, rate };
  return stream ? sampleFramesByTime(file.times, options, stream) : centreFramesByTime(file.times, options);
}

function checkLength(file: VideoFile, { minFrames = 1 }: ClipShape): void {
  if (file.frameCount >= minFrames) return;
  const [expected, got] = [`at least ${minFrames} frames`, `${file.frameCount}: too short`];
  throw new VideomaeError({ op: file.path, expected, got });
}

function keyOf(source: Source): string {
  if (source.kind === "video") return source.path;
  return `${source.folder}\0${source.template}\0${source.start}\0${source.total}`;
}
