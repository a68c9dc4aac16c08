import { describe, expect, it } from "vitest";
import { bestSide, compareRows, workingBytes } from "#lib/bench/pairing.js";
import { report } from "../../bench/compare.js";
import { stepRow } from "./rows.js";

const ms = (medianMs: number, fields: Record<string, unknown> = {}) =>
  stepRow({ medianMs, minMs: medianMs - 1, maxMs: medianMs + 1, ...fields });
const theirs = (medianMs: number, fields: Record<string, unknown> = {}) =>
  ms(medianMs, { system: "pytorch", ...fields });

describe("compareRows", () => {
  it("divides the other side's best variant by ours", () => {
    const eager = theirs(400, { variant: { compile: "none" } });
    const compiled = theirs(201, { variant: { compile: "default" } });
    const { pairs } = compareRows([ms(101)], [eager, compiled]);
    expect(pairs).toHaveLength(1);
    expect(pairs[0]).toMatchObject({ ratio: 201 / 101, fastest: 2, spread: undefined });
    expect(pairs[0].theirs.rows).toEqual([compiled]);
  });

  it("takes the median of the ratios of the rounds", () => {
    const rounds = [1, 2, 3].map((round) => ({ round }));
    const ours = [100, 200, 50].map((time, i) => ms(time, rounds[i]));
    const others = [150, 200, 100].map((time, i) => theirs(time, rounds[i]));
    const { pairs } = compareRows(ours, others);
    expect(pairs[0].ratio).toBe(1.5); // of 1.5, 1 and 2
    expect(pairs[0].spread).toEqual([1, 2]);
  });

  it("falls back to the medians where rounds do not match", () => {
    const { pairs } = compareRows([ms(100, { round: 1 }), ms(200, { round: 2 })], [theirs(300, { round: 1 })]);
    expect(pairs[0]).toMatchObject({ ratio: 2, spread: undefined });
  });

  it("compares nothing of different work", () => {
    const { pairs, unpaired } = compareRows([ms(100)], [theirs(200, { clips: 4 })]);
    expect(pairs).toEqual([]);
    expect(unpaired).toHaveLength(2);
  });

  it("compares across machines only when forced", () => {
    const rows = [[ms(100)], [theirs(200, { machine: { name: "B", cores: 64 } })]] as const;
    const { pairs, apart, unpaired } = compareRows(...rows);
    expect([pairs, unpaired]).toEqual([[], []]);
    expect(apart).toMatchObject([{ ours: "A processor, 2 cores", theirs: "B, 64 cores" }]);
    expect(compareRows(...rows, true).pairs[0]).toMatchObject({
      ratio: 2,
      machines: ["A processor, 2 cores", "B, 64 cores"],
    });
  });
});

it("the best side is chosen in every round anew", () => {
  const rows = [ms(5, { round: 1 }), ms(4, { round: 1 }), ms(6, { round: 2 }), ms(9, { round: 2 })];
  expect(bestSide(rows)).toMatchObject({ medianMs: 5, minMs: 3, rows: [rows[1], rows[2]] });
});

it("memory of a step is what it takes beyond its process and its fixed states", () => {
  const memory = { residentBytes: 5000, startBytes: 1000, parameters: 100 };
  expect(workingBytes(bestSide([ms(100, memory)]))).toBe(5000 - 1000 - 1600);
  expect(workingBytes(bestSide([ms(100, { ...memory, dtype: "bf16" })]))).toBe(5000 - 1000 - 1800);
  expect(workingBytes(bestSide([ms(100)]))).toBeUndefined();
  const text = report(
    [{ name: "a.jsonl", rows: [ms(100, memory), theirs(200, { ...memory, residentBytes: 7400 })] }],
    false,
  );
  expect(text).toContain("memory 0.50x (0 MB to 0 MB)");
});

describe("the report", () => {
  it("names ratio, machines, rows without a partner, and failures", () => {
    const failed = {
      bench: "step",
      system: "pytorch",
      device: "cpu",
      error: "out of memory",
      date: "2026-01-02T03:04:05Z",
    };
    const files = [{ name: "a.jsonl", rows: [ms(100), theirs(150), ms(100, { clips: 8 }), failed as never] }];
    const text = report(files, false);
    expect(text).toContain("1.50x, fastest runs 1.51x  step device=cpu dtype=f32 threads=2 model=vit-small clips=2");
    expect(text).toContain("unpaired  step videomae f32");
    expect(text).toContain("step pytorch cpu: out of memory");
  });

  it("refuses a ratio across machines, and marks a forced one", () => {
    const files = [{ name: "a.jsonl", rows: [ms(100), theirs(150, { machine: { name: "B", cores: 2 } })] }];
    expect(report(files, false)).toContain("no ratio");
    expect(report(files, true)).toContain("ACROSS MACHINES: A processor, 2 cores; B, 2 cores");
  });

  it("sets a newer file against an older one", () => {
    const files = [
      { name: "old.jsonl", rows: [ms(300)] },
      { name: "new.jsonl", rows: [ms(200)] },
    ];
    const text = report(files, false);
    expect(text).toContain("videomae: new.jsonl against old.jsonl (above 1: new.jsonl is faster)");
    expect(text).toContain("1.50x");
  });
});
