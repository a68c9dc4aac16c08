// How long opening or reading a file may take, and a signal by which another thread ends it. A decoder looks at both
// between packets and between what a program writes, so it ends soon after: nothing a decoder does in one step lasts,
// except where a file system does not answer.

import { VideomaeError } from "../errors.js";
import type { WorkSignal } from "./work-signal.js";

/** A span of time that begins now. */
export class TimeLimit {
  readonly #seconds: number;
  readonly #end: number;
  readonly #signal: WorkSignal | undefined;

  constructor(seconds = Number.POSITIVE_INFINITY, signal?: WorkSignal) {
    this.#seconds = seconds;
    this.#end = performance.now() + seconds * 1000;
    this.#signal = signal;
  }

  /** Whether the time is over. */
  get over(): boolean {
    return performance.now() >= this.#end;
  }

  /** @throws VideomaeError that names the file when the time is over or work is to stop */
  check(path: string): void {
    const stopped = this.#signal?.stopped === true;
    if (!stopped && !this.over) return;
    const within = stopped ? "" : ` within ${this.#seconds} s`;
    const got = stopped ? "a signal to stop" : "one that takes longer: timed out";
    throw new VideomaeError({ op: path, expected: `a file that decodes${within}`, got });
  }
}
