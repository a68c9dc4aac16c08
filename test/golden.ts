// The generator of the specification's golden values (spec 13): one draw an element, in row-major order.

import type { Module } from "#lib/nn/module.js";

/** `count` numbers in [-1, 1). */
export function generate(seed: number, count: number): Float64Array {
  let z = seed;
  return Float64Array.from({ length: count }, () => {
    z = (Math.imul(1664525, z) + 1013904223) >>> 0;
    return (2 * z) / 2 ** 32 - 1;
  });
}

/** Fills the parameters of an f64 model: number k, in the order of the state dict, from seed k + 1. */
export function fillGolden(model: Module): void {
  const parameters = model.namedParameters().map(([name, { shape }], k) => {
    const count = shape.reduce((product, n) => product * n, 1);
    const scale = shape.length === 1 || name === "mask_token" ? 0.1 : 1 / Math.sqrt(count / shape[0]);
    const offset = name.includes("norm") && name.endsWith("weight") ? 1 : 0;
    return [name, { shape, data: generate(k + 1, count).map((u) => offset + scale * u) }] as const;
  });
  model.load(new Map(parameters));
}

/** The input of the golden values, (2, 3, 8, 32, 32). */
export function goldenVideo(): Float64Array {
  return generate(12345, 2 * 3 * 8 * 32 * 32).map((u) => 1.7 * u);
}
