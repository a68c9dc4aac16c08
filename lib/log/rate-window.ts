// How fast a run goes at present: rates over a moving window of updates, so they follow the present and forget the slow start.

/** How far a run was at a moment. */
export interface Mark {
  /** Milliseconds of any clock that only goes on. */
  readonly time: number;
  /** Optimiser steps done. */
  readonly step: number;
  /** Clips trained on since the mark before. */
  readonly clips: number;
  /** Milliseconds spent waiting for data since the mark before. */
  readonly waitedMs: number;
}

/** Rates over the window; undefined until two updates lie apart in time. */
export interface Rates {
  readonly clipsPerSecond: number | undefined;
  /** Share of the time spent waiting for data, 0 to 1. */
  readonly waiting: number | undefined;
  readonly remainingSeconds: number | undefined;
}

export class RateWindow {
  readonly #length: number;
  #marks: Mark[] = [];

  /** @param length  intervals in the window */
  constructor(length = 50) {
    this.#length = length;
  }

  /** The newest mark. */
  get last(): Mark | undefined {
    return this.#marks.at(-1);
  }

  add(mark: Mark): void {
    this.#marks.push(mark);
    if (this.#marks.length > this.#length + 1) this.#marks.shift();
  }

  /** Forgets all marks: what comes next is not of the same stretch of work. */
  clear(): void {
    this.#marks = [];
  }

  /** @param total  optimiser steps of the whole run */
  rates(total: number): Rates {
    const [first, ...later] = this.#marks;
    const last = later.at(-1);
    const elapsed = last ? last.time - first.time : 0;
    if (!last || !(elapsed > 0)) return { clipsPerSecond: undefined, waiting: undefined, remainingSeconds: undefined };
    const sum = (field: "clips" | "waitedMs") => later.reduce((total, mark) => total + mark[field], 0);
    const stepsPerMs = (last.step - first.step) / elapsed;
    const left = Math.max(0, total - last.step);
    return {
      clipsPerSecond: (1000 * sum("clips")) / elapsed,
      waiting: Math.min(1, sum("waitedMs") / elapsed),
      remainingSeconds: left === 0 ? 0 : stepsPerMs > 0 ? left / stepsPerMs / 1000 : undefined,
    };
  }
}
