// How long opening or reading a file may take, and a signal by which another thread ends it. A decoder looks at both
// between packets and between what a program writes, so it ends soon after: nothing a decoder does in one step lasts,
// except where a file system does not answer.

import { VideomaeError } from "../errors.js";

/** Tells a decoder to stop, from any thread: threads that are given its memory share it. */
export class StopSignal {
  readonly memory: SharedArrayBuffer;
  readonly #flag: Int32Array;

  constructor(memory = new SharedArrayBuffer(4)) {
    this.memory = memory;
    this.#flag = new Int32Array(memory);
  }

  /** What is being decoded ends with an error, and so does what is asked for until `lower`. */
  raise(): void {
    Atomics.store(this.#flag, 0, 1);
  }

  lower(): void {
    Atomics.store(this.#flag, 0, 0);
  }

  get raised(): boolean {
    return Atomics.load(this.#flag, 0) !== 0;
  }
}

/** A span of time that begins now. */
export class TimeLimit {
  readonly #seconds: number;
  readonly #end: number;
  readonly #stop: StopSignal | undefined;

  constructor(seconds = Number.POSITIVE_INFINITY, stop?: StopSignal) {
    this.#seconds = seconds;
    this.#end = performance.now() + seconds * 1000;
    this.#stop = stop;
  }

  /** Whether the time is over. */
  get over(): boolean {
    return performance.now() >= this.#end;
  }

  /** @throws VideomaeError that names the file when the time is over or the signal is up */
  check(path: string): void {
    const stopped = this.#stop?.raised === true;
    if (!stopped && !this.over) return;
    const within = stopped ? "" : ` within ${this.#seconds} s`;
    const got = stopped ? "a signal to stop" : "one that takes longer: timed out";
    throw new VideomaeError({ op: path, expected: `a file that decodes${within}`, got });
  }
}
