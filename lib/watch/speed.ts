// How fast a run goes, over its steps. The times of updates are those of its event files; of a run without them, those at
// which lines of its log were seen to come, so nothing is known of the time before the watch began.

import { type Rates, RateWindow } from "../log/rate-window.js";
import type { DatedUpdate } from "./event-view.js";
import { Series } from "./series.js";

export class Speed {
  readonly series = { clipsPerSecond: new Series(), waiting: new Series() };
  readonly #window = new RateWindow();

  /** An update, and when it was made. */
  add({ time, step, clips, waitedMs }: DatedUpdate): void {
    const before = this.#window.last;
    if (before !== undefined && step <= before.step) this.rewind(step);
    // Not every update need be logged: those between are taken to be like it.
    const updates = step - (this.#window.last?.step ?? step - 1);
    this.#window.add({ time, step, clips: clips * updates, waitedMs: waitedMs * updates });
    const { clipsPerSecond, waiting } = this.#window.rates(step);
    this.series.clipsPerSecond.push(step, clipsPerSecond ?? Number.NaN);
    this.series.waiting.push(step, 100 * (waiting ?? Number.NaN));
  }

  /** Forgets updates from a step on; time goes on anew with the next one. */
  rewind(step: number): void {
    this.#window.clear();
    for (const series of Object.values(this.series)) series.rewind(step);
  }

  /**
   * At present.
   * @param steps  of the whole run
   */
  rates(steps: number): Rates {
    return this.#window.rates(steps);
  }
}
