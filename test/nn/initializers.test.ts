// How parameters begin: bounds, moments, and a stream of its own for each name.
import { describe, expect, it } from "vitest";
import { pretrainModel } from "#lib/models/pretrain.js";
import {
  constant,
  type Initializer,
  ones,
  truncatedNormal,
  uniform,
  xavierUniform,
  zeros,
} from "#lib/nn/initializers.js";
import { scope } from "#lib/tensor/scope.js";
import { Tensor } from "#lib/tensor/tensor.js";

function drawn(initialize: Initializer, shape: number[], seed = 1, stream = 2): number[] {
  return scope(() => {
    const x = Tensor.zeros(shape, "f64");
    initialize(x, seed, stream);
    return Array.from(x.readSync());
  });
}
const mean = (x: readonly number[]) => x.reduce((a, b) => a + b, 0) / x.length;
const deviation = (x: readonly number[]) => {
  const centre = mean(x);
  return Math.sqrt(mean(x.map((v) => (v - centre) ** 2)));
};
const largest = (x: readonly number[]) => x.reduce((a, b) => Math.max(a, Math.abs(b)), 0);

describe("initialisers", () => {
  it("zeros, ones and constants", () => {
    expect(drawn(zeros, [2])).toEqual([0, 0]);
    expect(drawn(ones, [2])).toEqual([1, 1]);
    expect(drawn(constant(-0.25), [1, 2])).toEqual([-0.25, -0.25]);
  });

  it("uniform fills its interval evenly", () => {
    const x = drawn(uniform(0.3), [200, 500]);
    expect(largest(x)).toBeLessThanOrEqual(0.3);
    expect(largest(x)).toBeGreaterThan(0.2999);
    expect(mean(x)).toBeCloseTo(0, 2);
    expect(deviation(x)).toBeCloseTo(0.3 / Math.sqrt(3), 3);
  });

  it("xavier takes its bound from both sides", () => {
    const bound = Math.sqrt(6 / (300 + 100));
    const x = drawn(xavierUniform, [300, 100]);
    expect(largest(x)).toBeLessThanOrEqual(bound);
    expect(largest(x)).toBeGreaterThan(0.999 * bound);
    expect(deviation(x)).toBeCloseTo(bound / Math.sqrt(3), 3);
  });

  it("a truncated normal stays inside the cuts with the moments of the cut distribution", () => {
    const x = drawn(truncatedNormal(0.02, 0.02), [100_000]);
    expect(largest(x)).toBeLessThanOrEqual(0.02);
    expect(Math.abs(mean(x))).toBeLessThan(2e-4);
    expect(deviation(x) / 0.02).toBeCloseTo(0.5396, 2); // of a normal cut at one standard deviation
    const wide = drawn(truncatedNormal(0.02, 2), [100_000]);
    expect(deviation(wide) / 0.02).toBeCloseTo(1, 1);
  });

  it("draw from (seed, stream) alone", () => {
    const draw = (seed: number, stream: number) => drawn(uniform(1), [100], seed, stream);
    expect(draw(1, 2)).toEqual(draw(1, 2));
    expect(draw(1, 3)).not.toEqual(draw(1, 2));
    expect(draw(2, 2)).not.toEqual(draw(1, 2));
    const f32 = scope(() => {
      const x = Tensor.zeros([100]);
      uniform(1)(x, 1, 2);
      return Array.from(x.readSync());
    });
    expect(f32).toEqual(Array.from(Float32Array.from(draw(1, 2)))); // the same numbers, rounded
  });
});

describe("a model's parameters", () => {
  it("begin by their names and the seed, whatever else the model has", () => {
    const initial = (seed: number, depth: number) => {
      using model = pretrainModel("vit-tiny", { seed, depth });
      return new Map(model.namedParameters().map(([name, p]) => [name, Array.from(p.value.readSync())]));
    };
    const [two, three, other] = [initial(7, 2), initial(7, 3), initial(8, 2)];
    for (const [name, values] of two) expect(three.get(name), name).toEqual(values);
    const [a, b] = ["encoder.blocks.0.mlp.fc1.weight", "encoder.blocks.1.mlp.fc1.weight"];
    expect(two.get(a)).not.toEqual(two.get(b));
    expect(two.get(a)).not.toEqual(other.get(a));
    expect(largest(two.get("mask_token")!)).toBeLessThanOrEqual(0.02);
    expect(largest(two.get("mask_token")!)).toBeGreaterThan(0);
    expect(new Set(two.get("encoder.norm.weight"))).toEqual(new Set([1]));
    expect(new Set(two.get("encoder.blocks.0.attn.q_bias"))).toEqual(new Set([0]));
  });
});
