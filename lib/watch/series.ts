// The values of one number over the steps of a run, in few enough points to be sent and drawn however long the run is. Each
// point stands for equally many neighbouring values by their lowest, highest and mean; when there are too many points, two
// neighbours become one. So a spike stays visible, and memory does not grow with the run.

import type { SeriesPart } from "./messages.js";

interface Point {
  /** Of the last of its values. */
  step: number;
  low: number;
  high: number;
  sum: number;
  count: number;
}

/** How much of a series somebody has seen. */
export interface Seen {
  readonly generation: number;
  readonly points: number;
  readonly values: number;
}

export class Series {
  readonly #most: number;
  #points: Point[] = [];
  #perPoint = 1;
  #values = 0;
  /** Counts how often earlier points have changed. */
  #generation = 0;

  /** @param most  points; at least half as many are kept of a long run. Even. */
  constructor(most = 1000) {
    this.#most = most;
  }

  /** Adds a value. One that is not finite is left out; one of a step that is not new takes the place of all from there on. */
  push(step: number, value: number): void {
    if (!Number.isFinite(value)) return;
    this.rewind(step);
    this.#values++;
    const last = this.#points.at(-1);
    if (last !== undefined && last.count < this.#perPoint) {
      last.step = step;
      last.low = Math.min(last.low, value);
      last.high = Math.max(last.high, value);
      last.sum += value;
      last.count++;
      return;
    }
    if (this.#points.length === this.#most) this.#halve();
    this.#points.push({ step, low: value, high: value, sum: value, count: 1 });
  }

  /** Forgets what was from a step on: the points that have a part in it. */
  rewind(step: number): void {
    const before = this.#points.length;
    while (this.#points.length > 0 && this.#points.at(-1)!.step >= step) this.#points.pop();
    if (this.#points.length < before) this.#generation++;
  }

  /** What is new since; undefined where nothing is. */
  since(seen: Seen | undefined): SeriesPart | undefined {
    if (seen === undefined ? this.#points.length === 0 : seen.values === this.#values && this.#isCurrent(seen)) {
      return undefined;
    }
    // The last point that was seen may have taken in more values.
    const from = seen !== undefined && this.#isCurrent(seen) ? Math.max(0, seen.points - 1) : 0;
    const points = this.#points.slice(from);
    return {
      from,
      step: points.map(({ step }) => step),
      low: points.map(({ low }) => short(low)),
      high: points.map(({ high }) => short(high)),
      mean: points.map(({ sum, count }) => short(sum / count)),
    };
  }

  /** What somebody has seen who has all. */
  get all(): Seen {
    return { generation: this.#generation, points: this.#points.length, values: this.#values };
  }

  #isCurrent({ generation }: Seen): boolean {
    return generation === this.#generation;
  }

  #halve(): void {
    this.#generation++;
    this.#perPoint *= 2;
    const pairs: Point[] = [];
    for (let i = 0; i < this.#points.length; i += 2) {
      const [a, b] = this.#points.slice(i, i + 2);
      pairs.push({
        ...{ step: b.step, low: Math.min(a.low, b.low), high: Math.max(a.high, b.high) },
        ...{ sum: a.sum + b.sum, count: a.count + b.count },
      });
    }
    this.#points = pairs;
  }
}

/** As many digits as can be seen. */
function short(value: number): number {
  return Number(value.toPrecision(6));
}
