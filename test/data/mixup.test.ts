// What is mixed with what: the distribution of lambda, boxes and labels by their definition, and that a key is all there is.
import { describe, expect, it } from "vitest";
import { drawMix, type MixupOptions, softTargets } from "#lib/data/mixup.js";

const batch = { clips: 6, size: 32 };
const mixes = (options: MixupOptions, count: number, of = batch) =>
  Array.from({ length: count }, (_, step) => drawMix(options, of, { seed: 7, step }));

describe("drawMix", () => {
  it.each([
    ["the arcsine law", 0.5, (x: number) => (2 / Math.PI) * Math.asin(Math.sqrt(x))],
    ["uniform", 1, (x: number) => x],
    ["a parabola", 2, (x: number) => x ** 2 * (3 - 2 * x)],
  ])("draws lambda from Beta(alpha, alpha): %s for alpha %d", (_, alpha, distribution) => {
    const count = 4000;
    const drawn = mixes({ mixup: alpha, cutmix: 0 }, count).map(({ lambda }) => lambda[0]);
    const distances = drawn.sort((a, b) => a - b).map((x, i) => Math.abs(distribution(x) - (i + 0.5) / count));
    expect(Math.max(...distances)).toBeLessThan(1.63 / Math.sqrt(count)); // Kolmogorov and Smirnov, 1 %
  });

  it("keeps to [0, 1] where gammas underflow", () => {
    for (const { lambda } of mixes({ mixup: 1e-5, cutmix: 0 }, 200)) {
      expect(lambda[0] === 0 || lambda[0] === 1 || (lambda[0] > 0 && lambda[0] < 1)).toBe(true);
    }
  });

  it("takes lambda of CutMix from the box as it is cut off at the edges", () => {
    for (const { lambda, box, share } of mixes({ mixup: 0, cutmix: 1 }, 200)) {
      const [top, bottom, left, right] = box;
      expect(top >= 0 && top <= bottom && bottom <= 32 && left >= 0 && left <= right && right <= 32).toBe(true);
      expect(share[0]).toBe(1 - ((bottom - top) * (right - left)) / 1024);
      expect(lambda.every((value) => value === 1)).toBe(true);
    }
  });

  it("switches between the two, and mixes as often as it is told", () => {
    const drawn = mixes({ mixup: 0.8, cutmix: 1, probability: 0.6, switchProbability: 0.25 }, 2000);
    const mixed = drawn.filter(({ share }) => share[0] !== 1);
    const cut = mixed.filter(({ lambda }) => lambda[0] === 1);
    expect(mixed.length / 2000).toBeCloseTo(0.6, 1);
    expect(cut.length / mixed.length).toBeCloseTo(0.25, 1);
  });

  it("shares a draw between all clips, the two of a pair, or none", () => {
    const [all, pairs, elements] = (["batch", "pair", "element"] as const).map((mode) =>
      Array.from(drawMix({ mixup: 0.8, cutmix: 0, mode }, batch, { seed: 1, step: 2 }).lambda),
    );
    expect(new Set(all).size).toBe(1);
    expect(new Set(pairs).size).toBe(3);
    expect(pairs).toEqual([...pairs].reverse());
    expect(new Set(elements).size).toBe(6);
  });

  it("is a function of seed and step", () => {
    const options = { mixup: 0.8, cutmix: 1 };
    const draw = (seed: number, step: number) => drawMix(options, batch, { seed, step });
    expect(draw(3, 4)).toEqual(draw(3, 4));
    expect(draw(3, 4)).not.toEqual(draw(3, 5));
    expect(draw(3, 4)).not.toEqual(draw(4, 4));
  });

  it.each([
    [{ mixup: -1, cutmix: 0 }, /mixup, an alpha of 0 or more; got -1/],
    [{ mixup: 0, cutmix: Number.NaN }, /cutmix, an alpha of 0 or more; got NaN/],
    [{ mixup: 0, cutmix: 0 }, /mixup or cutmix above 0; got both 0/],
    [{ mixup: 1, cutmix: 0, probability: 2 }, /probability from 0 to 1; got 2/],
    [{ mixup: 1, cutmix: 0, mode: "clip" }, /mode out of batch, pair, element; got "clip"/],
    [{ mixup: 1, cutmix: 0, switchProb: 1 }, /switchProbability/],
  ])("refuses %o", (options, message) => {
    expect(() => drawMix(options as MixupOptions, batch, { seed: 0, step: 0 })).toThrow(message);
  });
});

describe("softTargets", () => {
  const rows = (targets: Float32Array, classes: number) =>
    Array.from({ length: targets.length / classes }, (_, i) => [...targets.subarray(i * classes, (i + 1) * classes)]);
  const close = (got: number[][], want: number[][]) => {
    for (const [i, row] of want.entries()) {
      for (const [k, value] of row.entries()) expect(got[i][k]).toBeCloseTo(value, 6);
    }
  };

  it("mixes smoothed labels of a clip and its partner", () => {
    const share = Float64Array.of(0.75, 1, 0.25);
    const got = softTargets([0, 3, 1], { classes: 4, smoothing: 0.2, share });
    const [on, off] = [0.85, 0.05];
    close(rows(got, 4), [
      [0.75 * on + 0.25 * off, 0.25 * on + 0.75 * off, off, off],
      [off, off, off, on],
      [0.75 * on + 0.25 * off, 0.25 * on + 0.75 * off, off, off],
    ]);
  });

  it("is plain where partners are of one class, and where nothing is mixed", () => {
    const share = Float64Array.of(0.3, 0.3);
    expect([...softTargets([1, 1], { classes: 2, share })]).toEqual([0, 1, 0, 1]);
    expect([...softTargets([1, 0], { classes: 2 })]).toEqual([0, 1, 1, 0]);
  });

  it.each([[[2]], [[-1]], [[undefined]]])("refuses labels %o of two classes", (labels) => {
    expect(() => softTargets(labels as number[], { classes: 2 })).toThrow(/a class from 0 to 1 for every clip/);
  });
});
