// RandAugment: every operation to the bit as Pillow, the published form, and the draws.
import { describe, expect, it } from "vitest";
import { type AugmentStep, augmentFrames, drawSteps, parseRandAugment, stepAt } from "#lib/data/rand-augment.js";
import { affine, colorTransform } from "#lib/ops/index.js";
import { RandomStream } from "#lib/random.js";
import { scope } from "#lib/tensor/scope.js";
import { Tensor } from "#lib/tensor/tensor.js";
import { haveShared, loadFixture } from "../fixtures.js";

/** What the fixture calls an operation. */
function kindOf(name: string): AugmentStep["kind"] {
  const bare = name.replace(/Increasing$|Rel$/, "");
  return (bare[0].toLowerCase() + bare.slice(1)) as AugmentStep["kind"];
}

describe.skipIf(!haveShared)("the operations of the published set", () => {
  const fixture = haveShared ? loadFixture("rand_augment") : undefined;

  it.each(Object.entries((fixture?.json.cases ?? {}) as Record<string, { args: number[] }>))("%s", (name, { args }) => {
    const image = fixture!.tensors.get("image")!;
    const [operation, level, sign] = name.split(".");
    const step = stepAt(kindOf(operation), Number(level), sign === "neg", true)!;
    if (args.length > 0) expect(step.amount).toBeCloseTo(args[0], 12);
    scope(() => {
      const [height, width] = image.shape;
      const frame = Tensor.fromArray(image.data as Uint8Array, [1, height, width, 3]);
      // The argument as the fixture has it: a sign or the last digit may differ from what our formula gives.
      const exact = args.length > 0 ? { ...step, amount: args[0] } : step;
      const moved = augmentFrames(frame, [exact]).readSync();
      expect(
        Buffer.compare(Buffer.from(moved as Uint8Array), Buffer.from(fixture!.tensors.get(name)!.data.buffer)),
      ).toBe(0);
    });
  });
});

describe("frames", () => {
  const noise = (frames: number, height: number, width: number) => {
    const random = new RandomStream(7, "test");
    return Tensor.fromArray(
      Uint8Array.from({ length: frames * height * width * 3 }, () => random.integer(256)),
      [frames, height, width, 3],
    );
  };

  it("are changed one by one: a clip is its frames", () => {
    scope(() => {
      const clip = noise(3, 9, 13);
      const steps = (["autoContrast", "equalize", "contrast", "sharpness", "rotate", "translateX"] as const).map(
        (kind) => stepAt(kind, 7, false, true)!,
      );
      const whole = augmentFrames(clip, steps).readSync();
      const each = [0, 1, 2].flatMap((t) => [
        ...augmentFrames(clip.view([1, 9, 13, 3], t * 9 * 13 * 3), steps).readSync(),
      ]);
      expect([...whole]).toEqual(each);
    });
  });

  it("stay as they are without operations, and under the identity", () => {
    scope(() => {
      const clip = noise(2, 5, 4);
      expect([...augmentFrames(clip, []).readSync()]).toEqual([...clip.readSync()]);
      const identity = { a: 1, b: 0, c: 0, d: 0, e: 1, f: 0 };
      for (const filter of ["bilinear", "bicubic"] as const) {
        expect([...affine(clip, identity, { filter }).readSync()]).toEqual([...clip.readSync()]);
      }
      for (const kind of ["color", "contrast", "brightness", "sharpness"] as const) {
        expect([...colorTransform(clip, kind, 1).readSync()]).toEqual([...clip.readSync()]);
      }
    });
  });

  it("have the fill colour outside", () => {
    scope(() => {
      const clip = noise(1, 4, 4);
      const away = { a: 1, b: 0, c: 100, d: 0, e: 1, f: 0 };
      expect(new Set(affine(clip, away, { fill: 9 }).readSync())).toEqual(new Set([9]));
    });
  });

  it("refuse amounts out of range and other tensors", () => {
    scope(() => {
      const clip = noise(1, 4, 4);
      expect(() => colorTransform(clip, "posterize", 2.5)).toThrow(
        /an amount from 0 to 8 for posterize, a whole number/,
      );
      expect(() => colorTransform(clip, "solarize", 257)).toThrow(/an amount from 0 to 256 for solarize/);
      expect(() => colorTransform(clip, "sepia" as never)).toThrow(/sepia/);
      expect(() => colorTransform(Tensor.zeros([4, 4, 3], "u8"), "invert")).toThrow(/x of shape \[T, H, W, 3\]/);
      const map = { a: Number.NaN, b: 0, c: 0, d: 0, e: 1, f: 0 };
      expect(() => affine(clip, map)).toThrow(/affine: expected a finite a/);
      expect(() => affine(clip, { ...map, a: 1 }, { fill: 300 })).toThrow(/a fill from 0 to 255/);
    });
  });
});

describe("the published form", () => {
  it("is read", () => {
    expect(parseRandAugment("rand-m7-n4-mstd0.5-inc1")).toEqual({
      magnitude: 7,
      count: 4,
      deviation: 0.5,
      increasing: true,
    });
    expect(parseRandAugment("rand")).toEqual({ magnitude: 10, count: 2, deviation: 0, increasing: false });
  });

  it("is refused when it is another", () => {
    for (const text of ["auto-m7", "rand-m11", "rand-m7-q3", "rand-n2.5", "rand-m", "rand-w0", ""]) {
      expect(() => parseRandAugment(text), text).toThrow(/randAugment: expected a form like/);
    }
  });
});

describe("the draws", () => {
  const config = parseRandAugment("rand-m7-n4-mstd0.5-inc1");

  it("are a function of the stream", () => {
    const draw = (seed: number) => drawSteps(config, new RandomStream(seed, "augment"));
    expect(draw(1)).toEqual(draw(1));
    expect(Array.from({ length: 50 }, (_, i) => JSON.stringify(draw(i)))).not.toEqual(new Array(50).fill("[]"));
  });

  it("take every operation as often, half of them skipped, magnitudes about the mean", () => {
    const random = new RandomStream(3, "augment");
    const clips = 20_000;
    const counts = new Map<string, number>();
    const shears: number[] = [];
    for (let i = 0; i < clips; i++) {
      for (const { kind, amount } of drawSteps(config, random)) {
        counts.set(kind, (counts.get(kind) ?? 0) + 1);
        if (kind === "shearX") shears.push(amount);
      }
    }
    expect(counts.size).toBe(15);
    const expected = (clips * 4) / 15 / 2;
    for (const [kind, count] of counts) expect(Math.abs(count - expected), kind).toBeLessThan(5 * Math.sqrt(expected));
    const sizes = shears.map(Math.abs);
    const mean = sizes.reduce((sum, value) => sum + value, 0) / sizes.length;
    const deviation = Math.sqrt(sizes.reduce((sum, value) => sum + (value - mean) ** 2, 0) / sizes.length);
    expect(mean).toBeCloseTo(0.21, 2);
    expect(deviation).toBeCloseTo(0.015, 2);
    expect(shears.filter((value) => value < 0).length / shears.length).toBeCloseTo(0.5, 1);
  });

  it("are weaker where the set is not increasing", () => {
    expect(stepAt("posterize", 7, false, false)).toEqual({ kind: "posterize", amount: 2 });
    expect(stepAt("solarize", 7, false, false)).toEqual({ kind: "solarize", amount: 179 });
    expect(stepAt("color", 0, false, false)!.amount).toBeCloseTo(0.1);
  });
});
