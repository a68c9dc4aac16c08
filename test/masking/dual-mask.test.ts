import { describe, expect, test } from "vitest";
import { type DecoderMaskSpec, dualMask, fixedMasks } from "#lib/masking/dual-mask.js";
import type { MaskSpec } from "#lib/masking/mask-kind.js";

const tube: MaskSpec = { kind: "tube", ratio: 0.9 };
const cell = (ratio: number): DecoderMaskSpec => ({ kind: "running-cell", ratio });
const p16 = { t: 8, h: 14, w: 14 };
const p14 = { t: 8, h: 16, w: 16 };
const keys = (count: number, epoch = 0) => Array.from({ length: count }, (_, place) => ({ epoch, place, view: 0 }));

test.each([
  [p16, { kind: "none" } as const, 160, 1408, 1408],
  [p16, cell(0.25), 160, 1176, 1056],
  [p16, cell(0.5), 160, 784, 704],
  [p16, cell(0.75), 160, 392, 352],
  [p14, { kind: "none" } as const, 208, 1840, 1840],
  [p14, cell(0.25), 208, 1536, 1380],
  [p14, cell(0.5), 208, 1024, 920],
  [p14, cell(0.75), 208, 512, 460],
])("counts of the published settings: %o, %o", (grid, decoder, visible, decoded, lossTokens) => {
  const tokens = grid.t * grid.h * grid.w;
  expect(dualMask({ encoder: tube, decoder, grid }).counts).toEqual({ tokens, visible, decoded, lossTokens });
});

const decoders: DecoderMaskSpec[] = [
  { kind: "none" },
  cell(0.5),
  { kind: "random", ratio: 0.5 },
  { kind: "frame", ratio: 0.5 },
  { kind: "tube", ratio: 0.5 },
];
const encoders: MaskSpec[] = [tube, { kind: "random", ratio: 0.75 }, { kind: "frame", ratio: 0.5 }];

describe.each(encoders)("encoder $kind", (encoder) => {
  test.each(decoders)("decoder $kind", (decoder) => {
    const masks = dualMask({ encoder, decoder, grid: { t: 4, h: 6, w: 6 }, seed: 5 });
    const { tokens, visible: V, decoded: R, lossTokens } = masks.counts;
    const batch = masks.indices({ keys: keys(6) });
    expect(batch.visibleShape).toEqual([6, V]);
    expect(batch.decodedShape).toEqual([6, R]);
    for (let b = 0; b < 6; b++) {
      const visible = batch.visible.subarray(b * V, (b + 1) * V);
      const decoded = batch.decoded.subarray(b * R, (b + 1) * R);
      for (const indices of [visible, decoded]) {
        expect(indices.every((n, i) => n < tokens && (i === 0 ? n >= 0 : n > indices[i - 1]))).toBe(true);
      }
      const hidden = decoded.filter((n) => !visible.includes(n)).length;
      expect(hidden).toBeGreaterThan(0);
      if (lossTokens !== undefined) expect(hidden).toBe(lossTokens);
      if (decoder.kind === "none")
        expect([...visible, ...decoded].sort((a, c) => a - c)).toEqual([...Array(tokens).keys()]);
    }
  });
});

test("a clip's masks depend on its key and the seed, not on the batch", () => {
  const masks = dualMask({ encoder: tube, decoder: cell(0.5), seed: 3 });
  const whole = masks.indices({ keys: keys(4) });
  const third = masks.indices({ keys: [{ epoch: 0, place: 2, view: 0 }] });
  expect(third.visible).toEqual(whole.visible.slice(2 * 160, 3 * 160));
  expect(third.decoded).toEqual(whole.decoded.slice(2 * 784, 3 * 784));
  for (const key of [
    { epoch: 1, place: 2, view: 0 },
    { epoch: 0, place: 3, view: 0 },
    { epoch: 0, place: 2, view: 1 },
  ]) {
    expect(masks.indices({ keys: [key] }).visible).not.toEqual(third.visible);
  }
  const other = dualMask({ encoder: tube, decoder: cell(0.5), seed: 4 });
  expect(other.indices({ keys: keys(4) }).visible).not.toEqual(whole.visible);
});

test("fixed masks never change, and masks move to another grid", () => {
  const masks = dualMask({ encoder: tube, decoder: cell(0.5) });
  expect(fixedMasks(masks, 3)).toEqual(fixedMasks(masks, 3));
  expect(masks.on(p14).counts.visible).toBe(208);
  expect(masks.indices({ keys: [] }).visibleShape).toEqual([0, 160]);
});

test("mistakes are named", () => {
  const make = (encoder: unknown, decoder: unknown, more = {}) =>
    dualMask({ encoder: encoder as MaskSpec, decoder: decoder as DecoderMaskSpec, ...more });
  expect(() => make({ kind: "tubes", ratio: 0.9 }, cell(0.5))).toThrow(/encoder\.kind.*did you mean "tube"/);
  expect(() => make(tube, { kind: "runing-cell", ratio: 0.5 })).toThrow(/decoder\.kind.*did you mean "running-cell"/);
  expect(() => make(tube, { kind: "non" })).toThrow(/did you mean "none"/);
  expect(() => make({ kind: "tube", ratio: 90 }, cell(0.5))).toThrow(/encoder\.ratio.*\[0, 1\)/);
  expect(() => make({ kind: "tube", ration: 0.9 }, cell(0.5))).toThrow(/did you mean "ratio"/);
  expect(() => make(tube, cell(0.5), { gird: p16 })).toThrow(/did you mean "grid"/);
  expect(() => make(tube, cell(0.5), { seed: -1 })).toThrow(/seed/);
  expect(() => make({ kind: "tube", ratio: 0 }, { kind: "none" })).toThrow(/hidden token/);
  expect(() => make({ kind: "random", ratio: 0.1 }, cell(0.5), { grid: { t: 1, h: 2, w: 2 } })).toThrow(/hidden token/);
  expect(() => make(tube, cell(0.5), { grid: { t: 3, h: 3, w: 3 } })).toThrow(/running-cell/);
});
