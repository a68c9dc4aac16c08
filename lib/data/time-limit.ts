// How long opening or reading a file may take. A decoder looks at the limit between packets and between what a program
// writes, so it ends soon after: nothing a decoder does in one step lasts, except a file system that does not answer.

import { VideomaeError } from "../errors.js";

export class TimeLimit {
  readonly #seconds: number;
  readonly #end: number;
  readonly #stop: Int32Array | undefined;

  /**
   * Starts to count.
   * @param stop  four bytes that another thread may write to with `stopDecoding`
   */
  constructor(seconds = Number.POSITIVE_INFINITY, stop?: SharedArrayBuffer) {
    this.#seconds = seconds;
    this.#end = performance.now() + seconds * 1000;
    this.#stop = stop && new Int32Array(stop);
  }

  /** Milliseconds until the limit, 0 when it is over or another thread said stop. */
  get left(): number {
    return this.#stopped ? 0 : Math.max(0, this.#end - performance.now());
  }

  /** @throws VideomaeError that names the file when the limit is over */
  check(path: string): void {
    if (this.left > 0) return;
    const got = this.#stopped ? "stopped" : "still at it";
    const within = Number.isFinite(this.#seconds) ? ` within ${this.#seconds} s` : "";
    throw new VideomaeError({ op: path, expected: `a file that decodes${within}`, got });
  }

  get #stopped(): boolean {
    return this.#stop !== undefined && Atomics.load(this.#stop, 0) !== 0;
  }
}

/** Memory for `TimeLimit` and `stopDecoding`. */
export function stopMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(4);
}

/** Ends what is decoded under a limit with this memory, with an error; from any thread. */
export function stopDecoding(stop: SharedArrayBuffer): void {
  Atomics.store(new Int32Array(stop), 0, 1);
}
