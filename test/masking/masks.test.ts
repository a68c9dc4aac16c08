import { describe, expect, test } from "vitest";
import { frameMask } from "#lib/masking/frame.js";
import { randomMask } from "#lib/masking/random.js";
import { runningCellCount, runningCellMap, runningCellMask } from "#lib/masking/running-cell.js";
import { maskedCount } from "#lib/masking/token-grid.js";
import { tubeMask } from "#lib/masking/tube.js";
import { RandomStream } from "#lib/random.js";
import { haveShared, loadFixture } from "../fixtures.js";

const stream = (n = 0) => new RandomStream(1, "test", [n]);
const sum = (mask: Uint8Array) => mask.reduce((total, bit) => total + bit, 0);
const grid = { t: 8, h: 14, w: 14 };

describe.skipIf(!haveShared)("against the reference", () => {
  test("counts are ratio * count, truncated, in double arithmetic", () => {
    for (const { patches, ratio, masked } of loadFixture("mask_counts").json.rows) {
      expect(maskedCount(ratio, patches), `${ratio} of ${patches}`).toBe(masked);
    }
  });

  test("all running-cell maps, and structure and counts of tube and random masks", () => {
    const { json, tensors } = loadFixture("masks");
    let maps = 0;
    for (const [key, { shape, data }] of tensors) {
      const [, kind, t, h, w, ratio] = /^(\w+)\.(\d+)x(\d+)x(\d+)\.([\d.]+)$/.exec(key) as RegExpExecArray;
      const fixtureGrid = { t: Number(t), h: Number(h), w: Number(w) };
      const options = { ratio: Number(ratio) };
      const total = json[kind][`${t}x${h}x${w}.${ratio}`].masked_total;
      if (kind === "running_cell") {
        for (let phase = 0; phase < 4; phase++) {
          const expected = data.subarray(phase * shape[1], (phase + 1) * shape[1]);
          expect(runningCellMap(fixtureGrid, options, phase), `${key} ${phase}`).toEqual(expected);
          maps++;
        }
        expect(runningCellCount(fixtureGrid, options)).toBe(total);
      } else {
        const draw = kind === "tube" ? tubeMask : randomMask;
        expect(sum(draw(fixtureGrid, options, stream())), key).toBe(total);
      }
    }
    expect(maps).toBe(36);
  });
});

test("a tube mask repeats one slice and differs between streams", () => {
  const mask = tubeMask(grid, { ratio: 0.9 }, stream());
  for (let t = 1; t < 8; t++) expect(mask.subarray(t * 196, (t + 1) * 196)).toEqual(mask.subarray(0, 196));
  expect(sum(mask)).toBe(8 * 176);
  expect(tubeMask(grid, { ratio: 0.9 }, stream())).toEqual(mask);
  expect(tubeMask(grid, { ratio: 0.9 }, stream(1))).not.toEqual(mask);
});

test("every position of a tube mask is masked equally often", () => {
  const counts = new Float64Array(16);
  for (let i = 0; i < 4000; i++) {
    tubeMask({ t: 1, h: 4, w: 4 }, { ratio: 0.75 }, stream(i)).forEach((bit, n) => {
      counts[n] += bit;
    });
  }
  for (const count of counts) expect(Math.abs(count - 3000)).toBeLessThan(5 * Math.sqrt(4000 * 0.75 * 0.25));
});

test("phase 0 at ratio 0.5 starts 1001, 0011, 0110, 1100", () => {
  const map = runningCellMap({ t: 5, h: 2, w: 2 }, { ratio: 0.5 }, 0);
  expect(map.join("")).toBe("10010011011011001001");
});

test("all four phases of the running cell occur", () => {
  const phases = [0, 1, 2, 3].map((phase) => runningCellMap(grid, { ratio: 0.5 }, phase).join(""));
  const drawn = Array.from({ length: 40 }, (_, i) => runningCellMask(grid, { ratio: 0.5 }, stream(i)).join(""));
  expect(new Set(drawn)).toEqual(new Set(phases));
});

test("the running cell takes odd grids where its phases agree and refuses them where they do not", () => {
  expect(runningCellCount({ t: 8, h: 15, w: 15 }, { ratio: 0.5 })).toBe(900);
  expect(sum(runningCellMask({ t: 8, h: 15, w: 15 }, { ratio: 0.5 }, stream()))).toBe(900);
  expect(runningCellCount({ t: 1, h: 2, w: 3 }, { ratio: 0.5 })).toBe(3);
  expect(() => runningCellMask({ t: 3, h: 3, w: 3 }, { ratio: 0.5 }, stream())).toThrow(/3 x 3 x 3.*even number/s);
  expect(() => runningCellCount(grid, { ratio: 0.2 })).toThrow(/0.25/);
});

test("a frame mask masks whole slices, never none or all", () => {
  const mask = frameMask(grid, { ratio: 0.5 }, stream());
  const slices = Array.from({ length: 8 }, (_, t) => sum(mask.subarray(t * 196, (t + 1) * 196)));
  expect(slices.filter((count) => count === 196)).toHaveLength(4);
  expect(slices.filter((count) => count === 0)).toHaveLength(4);
  expect(() => frameMask(grid, { ratio: 0.1 }, stream())).toThrow(/between 1 and 7/);
});

test.each([-0.1, 1, Number.NaN, "0.5"])("ratio %s is refused", (ratio) => {
  const options = { ratio: ratio as number };
  for (const draw of [tubeMask, randomMask, runningCellMask, frameMask]) {
    expect(() => draw(grid, options, stream())).toThrow(/ratio in \[0, 1\)/);
  }
});

test("a grid with a fraction of a token is refused", () => {
  expect(() => tubeMask({ t: 8, h: 13.5, w: 14 }, { ratio: 0.9 }, stream())).toThrow(/grid\.h.*image \/ patch/);
});
