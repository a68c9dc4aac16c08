// Errors as the fixtures state them.
import { cast } from "#lib/ops/cast.js";
import { scope } from "#lib/tensor/scope.js";
import type { Tensor } from "#lib/tensor/tensor.js";

/** The elements of a tensor as numbers, bf16 widened. */
export function numbersOf(x: Tensor): ArrayLike<number> {
  return x.dtype === "bf16" ? scope(() => cast(x, "f32").readSync()) : x.readSync();
}

/** |a - b| / |b| over all elements. */
export function relativeError(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) throw new Error(`lengths differ: ${a.length} and ${b.length}`);
  let [difference, reference] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    difference += (a[i] - b[i]) ** 2;
    reference += b[i] ** 2;
  }
  return reference === 0 ? Math.sqrt(difference) : Math.sqrt(difference / reference);
}

/** The L2 norm. */
export function norm(a: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] ** 2;
  return Math.sqrt(sum);
}

/** The largest |a - b|. */
export function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) throw new Error(`lengths differ: ${a.length} and ${b.length}`);
  let largest = 0;
  for (let i = 0; i < a.length; i++) largest = Math.max(largest, Math.abs(a[i] - b[i]));
  return largest;
}
