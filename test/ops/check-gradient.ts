// The gradient of an op against central differences in f64, for every element of every input. The op's result is reduced
// to a scalar with fixed random weights, so that no two errors cancel by symmetry.
import { expect } from "vitest";
import { backward } from "#lib/autograd/backward.js";
import { RandomStream } from "#lib/random.js";
import { scope } from "#lib/tensor/scope.js";
import { Tensor } from "#lib/tensor/tensor.js";
import { relativeError } from "../compare.js";

export interface GradientInput {
  readonly shape: readonly number[];
  /** By default uniform in [-1, 1). */
  readonly data?: readonly number[];
}

/** `count` numbers in [low, high), the same on every run. */
export function numbers(count: number, name: string, low = -1, high = 1): number[] {
  const stream = new RandomStream(1, name);
  return Array.from({ length: count }, () => low + (high - low) * stream.uniform());
}

/** The elements of a tensor as plain numbers. */
export function values(x: Tensor): number[] {
  return Array.from(x.readSync());
}

/** Expects the elements of `x` to be `expected` up to a relative L2 error. */
export function expectClose(x: Tensor, expected: ArrayLike<number>, tolerance = 1e-6): void {
  expect(relativeError(values(x), expected)).toBeLessThanOrEqual(tolerance);
}

/**
 * Expects the gradient of `fn` at `inputs` (f64) to agree with central differences.
 * @param tolerance  on the relative L2 error of each input's gradient
 */
export function checkGradient(
  fn: (...inputs: Tensor[]) => Tensor,
  inputs: readonly GradientInput[],
  tolerance = 1e-7,
): void {
  const data = inputs.map(({ shape, data }, k) =>
    Float64Array.from(
      data ??
        numbers(
          shape.reduce((a, b) => a * b, 1),
          `check-gradient.${k}`,
        ),
    ),
  );
  const tensors = () => inputs.map(({ shape }, k) => Tensor.fromArray(data[k], shape));
  const weights = scope(() => numbers(fn(...tensors()).size, "check-gradient.weights"));
  const loss = () => scope(() => values(fn(...tensors())).reduce((total, y, i) => total + y * weights[i], 0));

  const analytic = scope(() => {
    const leaves = tensors();
    for (const leaf of leaves) leaf.requiresGrad = true;
    const y = fn(...leaves);
    backward(y, Tensor.fromArray(Float64Array.from(weights), y.shape));
    return leaves.map((leaf) => (leaf.grad ? values(leaf.grad) : undefined));
  });

  const h = 1e-5;
  data.forEach((x, k) => {
    const numeric = Array.from(x, (at, i) => {
      x[i] = at + h;
      const above = loss();
      x[i] = at - h;
      const below = loss();
      x[i] = at;
      return (above - below) / (2 * h);
    });
    const got = analytic[k];
    expect(got, `no gradient reached input ${k}`).toBeDefined();
    const scale = Math.hypot(...numeric);
    const error = Math.hypot(...numeric.map((n, i) => n - got![i]));
    expect(error, `gradient of input ${k}`).toBeLessThanOrEqual(tolerance * Math.max(scale, 1e-3));
  });
}
