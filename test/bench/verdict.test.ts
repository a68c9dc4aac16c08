// Which rows of an earlier file are compared with those of now, and what is said of them.
import { describe, expect, it } from "vitest";
import { verdictReport } from "#lib/bench/suite-report.js";
import { compareBenchmarks } from "#lib/bench/verdict.js";
import { stepRow } from "./rows.js";

const versions = { videomae: "0.1.0", node: "20.0.0" };
/** A row whose middle half is 2 % of its median. */
const row = (medianMs: number, fields: Record<string, unknown> = {}) =>
  stepRow({ medianMs, minMs: medianMs * 0.9, maxMs: medianMs * 1.5, noise: 0.02, versions, ...fields });
const one = (now: ReturnType<typeof row>[], earlier: ReturnType<typeof row>[]) =>
  compareBenchmarks(now, earlier).compared.map(({ ratio, noise, verdict }) => ({ ratio, noise, verdict }));

describe("a verdict", () => {
  it.each([
    [100, 110, "faster"],
    [110, 100, "slower"],
    [100, 103, "within noise"],
    [103, 100, "within noise"],
  ])("of %d ms now and %d earlier is %s", (now, earlier, verdict) => {
    expect(one([row(now)], [row(earlier)])).toEqual([{ ratio: earlier / now, noise: 0.04, verdict }]);
  });

  it("takes the range of rounds for noise where that is more", () => {
    const earlier = [row(110, { round: 1 }), row(120, { round: 2 }), row(130, { round: 3 })];
    const [{ ratio, noise, verdict }] = one([row(100)], earlier);
    expect({ ratio, verdict }).toEqual({ ratio: 1.2, verdict: "faster" });
    expect(noise).toBeCloseTo(0.02 + 20 / 120);
    expect(one([row(110)], earlier)[0].verdict).toBe("within noise");
  });

  it("takes all times for noise where a row does not say its middle half", () => {
    expect(one([row(100)], [row(150, { noise: undefined })])[0]).toMatchObject({
      noise: 0.62,
      verdict: "within noise",
    });
  });

  it("is none where other programs kept the machine busy in either run", () => {
    const busy = { otherCores: 0.5 };
    expect(one([row(100)], [row(200, busy)])[0].verdict).toBe("disturbed");
    expect(one([row(100, busy)], [row(200)])[0].verdict).toBe("disturbed");
    const large = { machine: { name: "A processor", cores: 64 }, ...busy };
    expect(one([row(100, large)], [row(200, large)])[0].verdict).toBe("faster");
  });

  it("sets PyTorch's rows against PyTorch's", () => {
    const peer = { system: "pytorch", versions: { torch: "2.0" } };
    const { compared } = compareBenchmarks([row(100), row(300, peer)], [row(200, peer), row(100)]);
    expect(compared.map(({ system, ratio }) => [system, ratio])).toEqual([
      ["videomae", 1],
      ["pytorch", 2 / 3],
    ]);
  });
});

describe("a row that does not match", () => {
  it.each([
    [{ machine: { name: "B", cores: 8 } }, "machine B, 8 cores there, A processor, 2 cores here"],
    [{ dtype: "bf16" }, "dtype bf16 there, f32 here"],
    [{ threads: 1 }, "threads 1 there, 2 here"],
    [
      { versions: { ...versions, videomae: "0.0.9" } },
      "version node 20.0.0, videomae 0.0.9 there, node 20.0.0, videomae 0.1.0 here",
    ],
    [{ variant: { instructionSet: "avx2" } }, "instruction set avx2 there, unknown here"],
    [{ clips: 8 }, "not in the earlier file"],
  ])("with %j earlier is refused, and named", (fields, reason) => {
    const { compared, refused } = compareBenchmarks([row(100)], [row(200, fields)]);
    expect(compared).toEqual([]);
    expect(refused).toMatchObject([{ work: "vit-small, 2 clips", reasons: [reason] }]);
  });

  it("is explained by the row that differs least", () => {
    const earlier = [row(100, { dtype: "bf16", threads: 1 }), row(100, { dtype: "bf16" })];
    expect(compareBenchmarks([row(100)], earlier).refused[0].reasons).toEqual(["dtype bf16 there, f32 here"]);
  });

  it("of another version is compared where that is asked for", () => {
    const older = row(200, { versions: { videomae: "0.0.9" } });
    const { compared, refused } = compareBenchmarks([row(100)], [older], { acrossVersions: true });
    expect([compared.length, refused.length]).toEqual([1, 0]);
  });
});

it("the report has a line for each, and the reasons", () => {
  const now = [row(100), row(100, { clips: 4 }), row(50, { model: "vit-base" })];
  const text = verdictReport("before.jsonl", compareBenchmarks(now, [row(150), row(50, { model: "vit-base" })]));
  expect(text.split("\n")).toEqual([
    "Against before.jsonl (above 1: faster now)",
    "                                                 earlier ms  now ms  ratio  noise       verdict",
    "training step, dual masking, vit-small, 2 clips         150     100   1.50  4.0 %        faster",
    "training step, dual masking, vit-base, 2 clips         50.0    50.0   1.00  4.0 %  within noise",
    "not compared, not in the earlier file: training step, dual masking, vit-small, 4 clips",
  ]);
});
