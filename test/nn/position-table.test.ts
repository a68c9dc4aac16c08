// The positional table against the reference, and what each way of making one for an unusual grid gives.
import { describe, expect, it } from "vitest";
import { VideomaeError } from "#lib/errors.js";
import { type Grid, type PositionMode, positionTable, positionValues, sinusoid } from "#lib/nn/position-table.js";
import { largestDifference } from "../compare.js";
import { haveShared, loadFixture } from "../fixtures.js";

const base: Grid = { t: 8, h: 14, w: 14 };
const table = (grid: Grid, mode: PositionMode, width = 12) => positionValues(grid, width, mode, base);

describe.skipIf(!haveShared)("the reference's tables", () => {
  const { json, tensors } = loadFixture("sinusoid");

  it.each([...tensors.keys()].filter((name) => name.startsWith("table.")))("%s", (name) => {
    const [tokens, width] = tensors.get(name)!.shape;
    const got = Float32Array.from(sinusoid(tokens, width));
    expect(largestDifference(got, tensors.get(name)!.data as Float32Array)).toBeLessThanOrEqual(2e-7);
  });

  it.each(Object.keys(json.tables))("rows, sum and length of %s", (size) => {
    const [tokens, width] = size.split("x").map(Number);
    const got = Float32Array.from(sinusoid(tokens, width));
    const { rows, sum, l2, column_0_sum } = json.tables[size];
    const picked = rows.flatMap((row: number) => Array.from(got.subarray(row * width, (row + 1) * width)));
    expect(largestDifference(picked, tensors.get(`rows.${size}`)!.data as Float32Array)).toBeLessThanOrEqual(2e-7);
    let [total, squares, first] = [0, 0, 0];
    for (let i = 0; i < got.length; i++) {
      total += got[i];
      squares += got[i] ** 2;
      if (i % width === 0) first += got[i];
    }
    expect(Math.abs(total / sum - 1)).toBeLessThan(1e-7);
    expect(Math.abs(Math.sqrt(squares) / l2 - 1)).toBeLessThan(1e-7);
    expect(first).toBeCloseTo(column_0_sum, 4);
  });
});

describe("the official interpolation", () => {
  it("is the identity for 16 frames at any size", () => {
    for (const side of [14, 16, 10]) {
      const grid = { t: 8, h: side, w: side };
      expect(table(grid, "official")).toEqual(table(grid, "generate"));
    }
  });

  it.each([8, 24, 32])("is an error for %i frames at 224, as in the published code", (frames) => {
    const grid = { t: frames / 2, h: 14, w: 14 };
    expect(() => table(grid, "official")).toThrow(VideomaeError);
    expect(() => table(grid, "official")).toThrow('use "generate" or "interpolate"');
  });

  it("reinterprets 64 frames at 256 as 8 slices of 32 x 32 and resizes them", () => {
    const grid = { t: 32, h: 16, w: 16 };
    const got = table(grid, "official");
    expect(got.length).toBe(32 * 16 * 16 * 12);
    expect(got.every((v) => Number.isFinite(v) && Math.abs(v) < 2)).toBe(true);
    expect(got).not.toEqual(table(grid, "generate"));
    // A quarter slice on, the linear filter over time mixes neighbouring slices: the first four are slice 0 and 1.
    const slices = [0, 1].map((t) => got.subarray(t * 256 * 12, (t + 1) * 256 * 12));
    expect(slices[0]).toEqual(slices[1]); // both lie before the centre of slice 0
  });
});

describe("interpolation of the base table", () => {
  it("to the base grid is the identity", () => {
    expect(table(base, "interpolate")).toEqual(table(base, "generate"));
  });

  it("over time alone is linear between slices", () => {
    const got = table({ t: 16, h: 14, w: 14 }, "interpolate");
    const from = table(base, "generate");
    const slice = 14 * 14 * 12;
    for (const i of [0, 5, slice - 1]) {
      expect(got[i]).toBe(from[i]);
      expect(got[slice + i]).toBeCloseTo(0.75 * from[i] + 0.25 * from[slice + i], 12);
      expect(got[2 * slice + i]).toBeCloseTo(0.25 * from[i] + 0.75 * from[slice + i], 12);
      expect(got[15 * slice + i]).toBe(from[7 * slice + i]);
    }
  });

  it("keeps a constant constant: every filter's weights add up to one", () => {
    // Column 1 of a table whose base is one token is cos(0) = 1.
    for (const grid of [
      { t: 3, h: 5, w: 7 },
      { t: 1, h: 1, w: 1 },
    ]) {
      const got = positionValues(grid, 2, "interpolate", { t: 1, h: 1, w: 1 });
      for (let i = 0; i < got.length; i += 2) {
        expect(got[i]).toBe(0);
        expect(got[i + 1]).toBeCloseTo(1, 12);
      }
    }
  });
});

describe("positionTable", () => {
  it("rounds to f32 for either dtype", () => {
    const grid = { t: 2, h: 2, w: 2 };
    const how = { mode: "generate", base, device: "cpu" } as const;
    using f32 = positionTable(grid, 6, { dtype: "f32", ...how });
    using f64 = positionTable(grid, 6, { dtype: "f64", ...how });
    expect([`${f32}`, `${f64}`]).toEqual(["f32[8, 6]", "f64[8, 6]"]);
    expect(Array.from(f64.readSync())).toEqual(Array.from(f32.readSync()));
  });
});
