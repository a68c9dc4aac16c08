// A batch of clips in shared memory that goes back to the loader when the batch is disposed of.

import { VideomaeError } from "../errors.js";
import type { ClipKey } from "../masking/dual-mask.js";
import { Tensor } from "../tensor/tensor.js";

export interface BatchParts {
  readonly shape: readonly number[];
  readonly step: number;
  readonly epoch: number;
  readonly keys: readonly ClipKey[];
  readonly sources: readonly string[];
  readonly labels: readonly (number | undefined)[];
  readonly replaced: number;
  /** What the numbers are; the shape of pixels is [B, T, S, S, 3] of "u8", [B, 3, T, S, S] of "f32". */
  readonly pixels: "u8" | "f32";
  readonly memory: SharedArrayBuffer;
  readonly release: () => void;
}

/** Clips of one step. Hold it with `using`: disposing of it gives its memory back to the loader. */
export class ClipBatch implements Disposable {
  /**
   * [B, T, S, S, 3] of bytes as decoded, [B, 3, T, S, S] of augmented clips, which are normalised: B is videos times
   * views, the views of a video side by side. Or [B, ...] of features, which stand for clips that an encoder has seen.
   */
  readonly shape: readonly number[];
  /** Counted from 0 over all epochs. */
  readonly step: number;
  readonly epoch: number;
  /** One for each clip. */
  readonly keys: readonly ClipKey[];
  /** The file or folder of each clip: that of the replacement, where a bad one was replaced. */
  readonly sources: readonly string[];
  /** The class of each clip; undefined where its list has none. */
  readonly labels: readonly (number | undefined)[];
  /** How many videos stand in for a bad one. */
  readonly replaced: number;
  /** How long the step waited for this batch, in milliseconds. */
  waitedMs = 0;
  readonly #release: () => void;
  #pixels: Uint8Array | Float32Array | undefined;
  #video: Tensor | undefined;

  constructor({ shape, step, epoch, keys, sources, labels, replaced, pixels, memory, release }: BatchParts) {
    this.shape = shape;
    this.step = step;
    this.epoch = epoch;
    this.keys = keys;
    this.sources = sources;
    this.labels = labels;
    this.replaced = replaced;
    this.#release = release;
    const count = shape.reduce((product, n) => product * n, 1);
    this.#pixels = pixels === "f32" ? new Float32Array(memory, 0, count) : new Uint8Array(memory, 0, count);
  }

  /** The pixels, of the batch's shape. Valid until the batch is disposed of. */
  get frames(): Uint8Array | Float32Array {
    if (this.#pixels !== undefined) return this.#pixels;
    throw new VideomaeError({
      op: "ClipBatch",
      expected: `the clips of step ${this.step}`,
      got: "a batch that was disposed of",
      hint: "copy what is needed for longer than the loop's body",
    });
  }

  /** The pixels as a tensor, u8 or f32: made on first use; freed with the batch. */
  get video(): Tensor {
    if (!this.#video?.alive) this.#video = Tensor.fromArray(this.frames, this.shape);
    return this.#video;
  }

  /** Gives the buffer back to the loader, which fills it anew: `frames` and `video` are not valid any more. */
  [Symbol.dispose](): void {
    if (this.#pixels === undefined) return;
    this.#pixels = undefined;
    this.#video?.dispose();
    this.#release();
  }
}
