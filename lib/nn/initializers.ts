// How parameters begin (spec 1.8). Each draws from a stream of its own name, so the order of construction is free.
import { fill, fillTruncatedNormal, fillUniform } from "../ops/random.js";
import type { Tensor } from "../tensor/tensor.js";

/** Fills a parameter from the stream `stream` of `seed`. */
export type Initializer = (parameter: Tensor, seed: number, stream: number) => void;

/** Every element 0, as memory is made. */
export const zeros: Initializer = () => {};

/** Every element 1. */
export const ones: Initializer = (parameter) => fill(parameter, 1);

/** Every element the same. */
export function constant(value: number): Initializer {
  return (parameter) => fill(parameter, value);
}

/** U(-bound, bound). */
export function uniform(bound: number): Initializer {
  return (parameter, seed, stream) => fillUniform(parameter, { low: -bound, high: bound, seed, stream });
}

/** Xavier-uniform of an (O, I) weight: U(±sqrt(6 / (O + I))). */
export const xavierUniform: Initializer = (parameter, seed, stream) => {
  const [fanOut, fanIn] = parameter.shape;
  uniform(Math.sqrt(6 / (fanIn + fanOut)))(parameter, seed, stream);
};

/** N(0, std) truncated at the absolute values ±cut. */
export function truncatedNormal(std: number, cut: number): Initializer {
  return (parameter, seed, stream) =>
    fillTruncatedNormal(parameter, { mean: 0, std, low: -cut, high: cut, seed, stream });
}
