// The suite of `videomae bench`: its tables on fixed rows, and every section for real on tiny shapes. What is measured
// depends on the machine, so only its form is looked at.
import { execFileSync } from "node:child_process";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { measureAttention, measureProduct } from "#lib/bench/kernels.js";
import { findPeers } from "#lib/bench/peers.js";
import { identity, isTimed, parseRow, type Row } from "#lib/bench/row.js";
import { attentionShapes, gemmShapes } from "#lib/bench/shapes.js";
import { type BenchmarkOptions, planBenchmarks, runBenchmarks, sections } from "#lib/bench/suite.js";
import { benchmarkReport } from "#lib/bench/suite-report.js";
import { timesOf } from "#lib/bench/time-calls.js";
import { makeClips } from "../../examples/make-clips.js";
import { hasEmulator } from "../devices.js";
import { temporaryFolder } from "../temporary-folder.js";
import { gemmRow, stepRow } from "./rows.js";

const tiny = { device: "cpu", dtype: "f32", length: "tiny", workers: 1, rounds: 1 } as const;

async function run(options: BenchmarkOptions, signal = new AbortController().signal) {
  const rows: Row[] = [];
  const begun: string[] = [];
  const works = planBenchmarks(options);
  await runBenchmarks(
    works,
    options.device,
    (row) => rows.push(row),
    ({ label }) => begun.push(label),
    signal,
  );
  return { rows, begun, works };
}

describe("a tiny run", () => {
  it("has a valid row for every piece of every section", async () => {
    const folder = temporaryFolder();
    await makeClips(folder, { count: 2, frames: 20 });
    const loaderClips = async () => ({ data: folder, source: "two clips" });
    const { rows, begun, works } = await run({ ...tiny, only: sections, loaderClips });
    expect(begun).toEqual(works.map(({ label }) => label));
    expect(rows.map((row) => parseRow(JSON.stringify(row), "row"))).toEqual(rows);
    const timed = rows.filter(isTimed);
    const attention = "clips=2 heads=2 tokens=32 headWidth=16";
    const { threads } = timed[0];
    const cpu = `device=cpu dtype=f32 threads=${threads}`;
    expect(timed.map(identity)).toEqual([
      `gemm ${cpu} m=64 n=48 k=32 layout=nt`,
      `attention ${cpu} pass=forward ${attention}`,
      `attention ${cpu} pass=forward+backward ${attention}`,
      `step ${cpu} model=vit-tiny clips=2 decoderMaskRatio=0.5`,
      `classifier ${cpu} model=vit-tiny clips=1 pass=forward`,
      "loader device=cpu dtype=u8 threads=1 clipsOf=pretrain source=two clips clips=2 frames=16 size=32",
      "loader device=cpu dtype=f32 threads=1 clipsOf=finetune source=two clips clips=2 frames=16 size=32",
    ]);
    for (const row of timed) expect(row).toMatchObject({ system: "videomae", quick: true, noise: expect.any(Number) });
    for (const title of ["Dense products", "Attention", "Training step", "Classifier", "Loader, 1 worker"])
      expect(benchmarkReport(rows)).toContain(title);
  });

  it("is done in rounds, and ends where it is asked to", async () => {
    const { rows } = await run({ ...tiny, dtype: "bf16", only: ["kernels"], rounds: 2 });
    expect(rows.map((row) => (isTimed(row) ? [row.dtype, row.round] : []))).toEqual([
      ...[1, 1, 1].map((round) => ["bf16", round]),
      ...[2, 2, 2].map((round) => ["bf16", round]),
    ]);
    const stopped = AbortSignal.abort();
    expect((await run({ ...tiny, only: ["kernels"] }, stopped)).rows).toEqual([]);
  });

  it("refuses a model that there is none of before anything is measured", () => {
    expect(() => planBenchmarks({ ...tiny, only: ["step"], models: ["smal"] })).toThrow('did you mean "small"?');
  });

  it.runIf(hasEmulator)("replays kernels from a graph on a device", () => {
    const repeats = { seconds: 0, least: 1, most: 1 };
    const on = { device: "emu", dtype: "bf16", tiny: true } as const;
    const rows = [
      measureProduct(on, gemmShapes(true)[0], repeats),
      measureAttention(on, attentionShapes(true)[0], "forward+backward", repeats),
    ];
    for (const row of rows) {
      expect(row).toMatchObject({
        device: "cuda",
        variant: { graph: true },
        machine: { name: expect.stringMatching(/GPU/) },
      });
      expect(row.threads).toBeUndefined();
    }
  });
});

const python = process.env.VIDEOMAE_PYTHON ?? "python3";
const haveTorch = (() => {
  try {
    execFileSync(python, ["-c", "import torch"], { stdio: "ignore" });
    return true;
  } catch {
    console.log(`skipped: ${python} has no PyTorch; name an interpreter that has it in VIDEOMAE_PYTHON`);
    return false;
  }
})();

it.runIf(haveTorch)("PyTorch does the same work in turn, and the table sets both side by side", async () => {
  const pytorch = { python, folder: findPeers("test") };
  const { rows } = await run({ ...tiny, only: ["step"], pytorch });
  const steps = rows.filter(isTimed).filter(({ bench }) => bench === "step");
  expect(steps.map(({ system }) => system)).toEqual(["videomae", "pytorch"]);
  expect(identity(steps[1])).toBe(identity(steps[0]));
  expect(benchmarkReport(rows)).toMatch(/vit-tiny, 2 clips .* \d+\.\d\d†?\n/);
});

it("peers are looked for where they are said to be", () => {
  const nowhere = path.join(temporaryFolder(), "peers");
  expect(() => findPeers("bench --pytorch", nowhere)).toThrow(
    `bench --pytorch: expected PyTorch's scripts (pretrain_step.py ...) in ${nowhere}; got none. Hint: they are no part`,
  );
});

it("times have their median and middle half", () => {
  expect(timesOf([5, 1, 2, 4, 3])).toEqual({ medianMs: 3, minMs: 1, maxMs: 5, repeats: 5, noise: 0.6667 });
  expect(timesOf([2, 4], 0.5)).toEqual({ medianMs: 3, minMs: 2, maxMs: 4, repeats: 2, noise: 0.3333, otherCores: 0.5 });
});

it("the tables show noise, rates, the share of the peak, and PyTorch's ratio with its range", () => {
  const peer = { system: "pytorch", variant: { compile: "default" } };
  const text = benchmarkReport([
    gemmRow({ medianMs: 2, minMs: 1, gflopPerSecond: 150 }),
    stepRow({ medianMs: 100, noise: 0.02, round: 1 }),
    stepRow({ medianMs: 100, minMs: 90, noise: 0.02, round: 2, otherCores: 1 }),
    stepRow({ ...peer, medianMs: 110, round: 1 }),
    stepRow({ ...peer, medianMs: 115, round: 2 }),
    { bench: "step", system: "pytorch", device: "cpu", error: "out of memory", date: "2026-01-02T03:04:05Z" },
  ]);
  expect(text.split("\n")).toEqual([
    "Dense products, cpu, f32, 2 threads",
    "                           ms   noise  GFLOP/s  of peak",
    "square: 64 x 48 x 32 nt  2.00  50.0 %      150     50 %",
    "",
    "Training step, dual masking, cpu, f32, 2 threads",
    "                      ms  noise  clips/s  GFLOP/s  of peak    PyTorch ms                 ratio",
    "vit-small, 2 clips  100†  2.0 %     20.0      150     50 %  113 compiled  1.13 (1.10 to 1.15)†",
    "",
    expect.stringMatching(/^ms: median/),
    "of peak: of the fastest dense product of this run, 300 GFLOP/s on A processor, 2 cores.",
    expect.stringMatching(/^ratio: /),
    expect.stringMatching(/^†: /),
    "failed: pytorch step: out of memory",
  ]);
});
