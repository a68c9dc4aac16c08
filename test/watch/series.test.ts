// Series of few points: extremes are kept, what is sent adds up to the whole, and undone steps go.
import { expect, test } from "vitest";
import type { SeriesName } from "#lib/watch/messages.js";
import { type Points, takeParts } from "#lib/watch/page/points.js";
import { type Seen, Series } from "#lib/watch/series.js";

/** What a page holds that was sent every part. */
class Page {
  readonly #known = new Map<SeriesName, Points>();
  /** Points of the last part. */
  points = 0;
  #seen: Seen | undefined;

  take(series: Series): void {
    const part = series.since(this.#seen);
    this.#seen = series.all;
    this.points = part?.step.length ?? 0;
    if (part !== undefined) takeParts(this.#known, { loss: part });
  }

  get columns(): Points {
    return this.#known.get("loss")!;
  }
}

/** All of a series at once. */
function whole(series: Series) {
  const page = new Page();
  page.take(series);
  return page.columns;
}

test("a million values are a few hundred points, with the one that stands out", () => {
  const series = new Series(1000);
  const page = new Page();
  for (let step = 1; step <= 1_000_000; step++) {
    series.push(step, step === 777_777 ? 50 : step === 333_333 ? -50 : Math.sin(step));
    if (step % 10_007 === 0) page.take(series);
  }
  page.take(series);
  const { step, low, high, mean } = whole(series);
  expect(page.columns).toEqual({ step, low, high, mean });
  expect(step.length).toBeGreaterThan(400);
  expect(step.length).toBeLessThanOrEqual(1000);
  expect(step.at(-1)).toBe(1_000_000);
  expect([Math.min(...low), Math.max(...high)]).toEqual([-50, 50]);
  expect(step[high.indexOf(50)]).toBeGreaterThanOrEqual(777_777);
  expect(step[high.indexOf(50) - 1]).toBeLessThan(777_777);
  for (const value of mean) expect(Math.abs(value)).toBeLessThan(0.1);
});

test("what is sent is what is new", () => {
  const series = new Series(8);
  const page = new Page();
  for (let step = 1; step <= 6; step++) series.push(step, step);
  page.take(series);
  expect(page.columns.mean).toEqual([1, 2, 3, 4, 5, 6]);
  series.push(7, 7);
  page.take(series);
  expect(page.points).toBe(2); // the last that was known, and the new one
  page.take(series);
  series.push(8, Number.NaN);
  series.push(9, 9);
  series.push(10, 12);
  page.take(series);
  expect(page.columns).toEqual({
    step: [2, 4, 6, 9, 10],
    low: [1, 3, 5, 7, 12],
    high: [2, 4, 6, 9, 12],
    mean: [1.5, 3.5, 5.5, 8, 12],
  });
});

test("steps that were undone go, also from a page that has them", () => {
  const series = new Series(100);
  const page = new Page();
  for (let step = 1; step <= 50; step++) series.push(step, step);
  page.take(series);
  series.rewind(31);
  page.take(series);
  expect(page.columns.step.at(-1)).toBe(30);
  series.push(31, 7);
  series.push(20, 8); // a step that is not new takes the place of all from there on
  page.take(series);
  expect([page.columns.step.at(-2), page.columns.step.at(-1), page.columns.mean.at(-1)]).toEqual([19, 20, 8]);
  series.rewind(Number.NEGATIVE_INFINITY);
  page.take(series);
  expect(page.columns.step).toEqual([]);
});
