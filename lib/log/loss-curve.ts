// What a curve of a loss needs whoever draws it: a smoothed line through it, and the range that is worth showing. It imports
// nothing that a browser does not have: the page of `videomae watch` loads this very file.

import type { Range } from "./line-plot.js";

/** At each i the value of the straight line fitted to values[i - reach .. i + reach], as far as there are any. O(n). */
export function localFit(values: readonly number[], reach: number): number[] {
  const sums = new Float64Array(values.length + 1); // of values[j]
  const moments = new Float64Array(values.length + 1); // of j * values[j]
  for (let i = 0; i < values.length; i++) {
    sums[i + 1] = sums[i] + values[i];
    moments[i + 1] = moments[i] + i * values[i];
  }
  return values.map((_, i) => {
    const begin = Math.max(0, i - reach);
    const end = Math.min(values.length, i + reach + 1);
    const count = end - begin;
    const mean = (sums[end] - sums[begin]) / count;
    const centre = (begin + end - 1) / 2;
    const spread = (count * (count * count - 1)) / 12; // sum of (j - centre)^2
    const slope = spread > 0 ? (moments[end] - moments[begin] - centre * count * mean) / spread : 0;
    return mean + slope * (i - centre);
  });
}

/** From the lowest loss to the highest, or to the 99.5 % quantile when the highest stands out of the rest; with a margin. */
export function lossRange(losses: readonly number[]): Range {
  const order = Float64Array.from(losses).sort();
  const [low, highest] = [order[0], order[order.length - 1]];
  const quantile = order[Math.floor((order.length - 1) * 0.995)];
  const top = highest - low > 2 * (quantile - low) ? quantile : highest;
  const margin = 0.06 * (top - low) || Math.abs(top) * 0.1 || 1;
  return { low: low - margin, high: top + margin };
}
