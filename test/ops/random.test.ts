import { describe, expect, it } from "vitest";
import { fill, fillNormal, fillTruncatedNormal, fillUniform } from "#lib/ops/random.js";
import { philox4x32 } from "#lib/random.js";
import { threads } from "#lib/tensor/memory.js";
import { scope } from "#lib/tensor/scope.js";
import { Tensor } from "#lib/tensor/tensor.js";
import { values } from "./check-gradient.js";

const count = 200_000;
const key = { seed: 7, stream: 11 };

/** Mean, standard deviation, and the mean of ((x - mean) / std)^4. */
function moments(x: readonly number[]): [number, number, number] {
  const mean = x.reduce((a, b) => a + b) / x.length;
  const variance = x.reduce((a, b) => a + (b - mean) ** 2, 0) / x.length;
  return [mean, Math.sqrt(variance), x.reduce((a, b) => a + (b - mean) ** 4, 0) / x.length / variance ** 2];
}

function drawn(draw: (y: Tensor) => void, dtype: "f32" | "f64" = "f64", size = count): number[] {
  return scope(() => {
    const y = Tensor.zeros([size], dtype);
    draw(y);
    return values(y);
  });
}

describe("fillUniform", () => {
  it("is Philox, two elements a block", () => {
    const y = drawn((y) => fillUniform(y, key), "f64", 10);
    const expected = Array.from({ length: 10 }, (_, i) => {
      const words = philox4x32([i >> 1, 0, 0, 0], [key.seed, key.stream]);
      return ((words[(i & 1) * 2] >>> 5) * 2 ** 26 + (words[(i & 1) * 2 + 1] >>> 6)) / 2 ** 53;
    });
    expect(y).toEqual(expected);
  });

  it("fills its range evenly", () => {
    const y = drawn((y) => fillUniform(y, { ...key, low: -2, high: 3 }));
    const [mean, std, kurtosis] = moments(y);
    expect(mean).toBeCloseTo(0.5, 1);
    expect(std).toBeCloseTo(5 / Math.sqrt(12), 2);
    expect(kurtosis).toBeCloseTo(1.8, 1);
    expect(Math.min(...y.slice(0, 1000))).toBeGreaterThanOrEqual(-2);
    expect(Math.max(...y.slice(0, 1000))).toBeLessThan(3);
  });
});

describe("fillNormal", () => {
  it("has the moments of a normal distribution", () => {
    const [mean, std, kurtosis] = moments(drawn((y) => fillNormal(y, { ...key, mean: 3, std: 2 })));
    expect(Math.abs(mean - 3)).toBeLessThan(0.02);
    expect(Math.abs(std - 2)).toBeLessThan(0.02);
    expect(Math.abs(kurtosis - 3)).toBeLessThan(0.05);
  });
});

describe("fillTruncatedNormal", () => {
  it("stays within absolute cuts and has the moments of the truncated distribution", () => {
    const y = drawn((y) => fillTruncatedNormal(y, { ...key, std: 0.02, low: -0.02, high: 0.02 }));
    expect(y.every((v) => v >= -0.02 && v <= 0.02)).toBe(true);
    const [mean, std] = moments(y);
    expect(Math.abs(mean)).toBeLessThan(1e-4);
    // Within one standard deviation: variance 1 - 2 phi(1) / (2 Phi(1) - 1) = 0.29112509 of the whole.
    expect(Math.abs(std / 0.02 - Math.sqrt(0.29112509))).toBeLessThan(2e-3);
  });

  it("is the plain distribution when the cuts are far away", () => {
    const y = drawn((y) => fillTruncatedNormal(y, { ...key, std: 0.02, low: -2, high: 2 }));
    const [mean, std, kurtosis] = moments(y);
    expect(Math.abs(mean)).toBeLessThan(2e-4);
    expect(Math.abs(std - 0.02)).toBeLessThan(2e-4);
    expect(Math.abs(kurtosis - 3)).toBeLessThan(0.05);
    expect(y.every(Number.isFinite)).toBe(true);
  });

  it("inverts the distribution function: the median, and quantiles in both tails", () => {
    // The uniform numbers behind the draws give the quantiles; compare with the distribution function by counting.
    const y = drawn((y) => fillTruncatedNormal(y, { ...key, low: -10, high: 10 }));
    for (const [z, below] of [
      [-2, 0.0227501319],
      [-1, 0.1586552539],
      [0, 0.5],
      [1.5, 0.9331927987],
    ]) {
      expect(Math.abs(y.filter((v) => v < z).length / count - below)).toBeLessThan(3e-3);
    }
  });
});

describe("every fill", () => {
  const draws: [string, (y: Tensor) => void][] = [
    ["uniform", (y) => fillUniform(y, key)],
    ["normal", (y) => fillNormal(y, key)],
    ["truncated normal", (y) => fillTruncatedNormal(y, { ...key, low: -1, high: 2 })],
  ];

  it.each(draws)("%s: f32 is f64 rounded; a prefix is a prefix; threads do not matter", (_name, draw) => {
    const before = threads();
    threads(1);
    const wide = drawn(draw);
    threads(3);
    expect(drawn(draw)).toEqual(wide);
    threads(before);
    expect(drawn(draw, "f32")).toEqual(wide.map(Math.fround));
    expect(drawn(draw, "f64", 1001)).toEqual(wide.slice(0, 1001));
  });

  it("depends on seed and stream", () => {
    const first = drawn((y) => fillUniform(y, key), "f64", 4);
    expect(drawn((y) => fillUniform(y, { ...key, seed: 8 }), "f64", 4)).not.toEqual(first);
    expect(drawn((y) => fillUniform(y, { ...key, stream: 12 }), "f64", 4)).not.toEqual(first);
  });

  it("fills any dtype with one value", () =>
    scope(() => {
      for (const [dtype, expected] of [
        ["f64", -2.5],
        ["f32", -2.5],
        ["i32", -2],
        ["u8", 0],
        ["bool", 1],
        ["bf16", 0xc020],
      ] as const) {
        const y = Tensor.zeros([3], dtype);
        fill(y, -2.5);
        expect(values(y)).toEqual([expected, expected, expected]);
      }
    }));

  it("refuses wrong keys, ranges and dtypes", () =>
    scope(() => {
      const y = Tensor.zeros([2]);
      expect(() => fillUniform(y, { seed: -1, stream: 0 })).toThrow(
        /random: expected seed from 0 to 2\^32 - 1; got -1/,
      );
      expect(() => fillUniform(y, { seed: 0, stream: 2 ** 32 })).toThrow(/stream from 0 to 2\^32 - 1; got 4294967296/);
      expect(() => fillUniform(y, { ...key, low: 1, high: 0 })).toThrow(/random: expected finite low and high/);
      expect(() => fillNormal(y, { ...key, std: 0 })).toThrow(/random: expected a finite mean and std above 0/);
      expect(() => fillNormal(y, { ...key, sigma: 1 } as never)).toThrow(/fillNormal: expected options/);
      expect(() => fillNormal(Tensor.zeros([2], "i32"), key)).toThrow(/y of dtype f32, f64 or bf16; got i32\[2\]/);
    }));
});
