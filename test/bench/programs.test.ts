// The benchmarks' programs. Ours: the native ones, where they are built. The PyTorch peers on the CPU, where an
// interpreter has PyTorch: every script runs and writes rows of the one format, the work is that of ours, and the peer
// computes what the reference does.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { identity, isTimed, parseRow, type Row, readRows, type TimedRow } from "#lib/bench/row.js";
import { checkout } from "../../bench/checkout.js";
import { haveShared, sharedFolder } from "../fixtures.js";
import { temporaryFolder } from "../temporary-folder.js";

const python = process.env.VIDEOMAE_PYTHON ?? "python3";
const haveTorch = imports("torch");
if (!haveTorch) console.log(`skipped: ${python} has no PyTorch; name an interpreter that has it in VIDEOMAE_PYTHON`);
const haveSafetensors = haveTorch && imports("safetensors");
if (haveTorch && !haveSafetensors) console.log(`skipped: ${python} has no safetensors`);
const out = path.join(temporaryFolder(), "rows.jsonl");

function imports(module: string): boolean {
  try {
    execFileSync(python, ["-c", `import ${module}`], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

function run(script: string, ...options: string[]) {
  const argv = [path.join(checkout, "bench", "peers", script), ...options];
  const { status, stdout, stderr } = spawnSync(python, argv, { encoding: "utf8", timeout: 110_000 });
  const lines = stdout.split("\n").filter(Boolean);
  return { status, stderr, rows: lines.map((line, i): Row => parseRow(line, `${script}:${i + 1}`)) };
}

const compiled = path.join(checkout, "build", "bench-test");

/** Runs a benchmark of ours, compiled from its sources as they are. */
function runBench(script: string, argv: string[]): string {
  execFileSync("npx", ["tsc", "-p", "tsconfig.bench.json", "--outDir", compiled], { cwd: checkout });
  return execFileSync(process.execPath, [path.join(compiled, script), ...argv], { encoding: "utf8" });
}

const gemmBench = path.join(checkout, ".cmake", "Release", "Release", "gemm_bench");
const haveKernels = existsSync(gemmBench);
if (!haveKernels) console.log("skipped: the native benchmarks are not built (node scripts/build-native.mjs --tests)");

it.runIf(haveKernels)("our kernels' rows have the format, and the shapes of the list", () => {
  const lines = runBench("kernels.js", ["--quick", "--threads", "1", "--dtypes", "f32,bf16"]).trim().split("\n");
  const all = lines.map((line, i) => parseRow(line, `kernels.js:${i + 1}`));
  const peaks = all.filter((row) => row.bench === "ceiling");
  expect(peaks).toContainEqual(expect.objectContaining({ name: "read memory", unit: "GB/s" }));
  const rows = all.filter(isTimed);
  expect(rows.map(identity)).toEqual([
    "gemm device=cpu dtype=f32 threads=1 m=64 n=48 k=32 layout=nt",
    "gemm device=cpu dtype=bf16 threads=1 m=64 n=48 k=32 layout=nt",
    ...["f32", "bf16"].flatMap((dtype) =>
      ["forward", "forward+backward"].map(
        (pass) => `attention device=cpu dtype=${dtype} threads=1 pass=${pass} clips=2 heads=2 tokens=32 headWidth=16`,
      ),
    ),
  ]);
});

it.each(["f32", "bf16"])("our classifier has a row in %s", (dtype) => {
  const argv = ["--quick", "--model", "vit-tiny", "--dtype", dtype, "--threads", "1"];
  const row = parseRow(runBench("classifier.js", argv), "classifier.js");
  expect(row).toMatchObject({
    bench: "classifier",
    system: "videomae",
    dtype,
    model: "vit-tiny",
    clips: 1,
    quick: true,
  });
});

it.runIf(haveKernels)("a native benchmark refuses a shape it cannot read", () => {
  const { status, stderr } = spawnSync(gemmBench, ["f32:1x2:nt"], { encoding: "utf8" });
  expect({ status, stderr }).toEqual({ status: 2, stderr: expect.stringContaining("expected e.g. f32:2048") });
});

describe.runIf(haveTorch)("a peer", () => {
  it.each([
    ["attention.py", 8],
    ["gemm.py", 3],
    ["bandwidth.py", 4],
    ["pretrain_step.py", 3],
    ["classifier.py", 3],
  ])("%s runs on tiny shapes", (script, count) => {
    const { rows, stderr } = run(script, "--device", "cpu", "--quick", "--threads", "1", "--out", out);
    expect(rows.filter((row) => "error" in row)).toEqual([]);
    expect(rows.filter(isTimed), stderr).toHaveLength(count);
    for (const row of rows) expect(row).toMatchObject({ system: "pytorch", device: "cpu", threads: 1, quick: true });
    const kept = readFileSync(out, "utf8").trim().split("\n").slice(-count);
    expect(kept.map((line) => JSON.parse(line))).toEqual(rows);
  });

  it("measures the work that ours measures, in turn with ours", () => {
    const results = temporaryFolder();
    const options = ["--quick", "--rounds", "1", "--only", "step", "--threads", "1", "--out", results];
    const stdout = runBench("paired.js", [...options, "--python", python]);
    expect(stdout).toContain("step device=cpu dtype=f32 threads=1 model=vit-tiny clips=2 decoderMaskRatio=0.5");
    const [name] = readdirSync(results);
    expect(name).toMatch(/^\d{4}-\d\d-\d\d-[a-z0-9-]+-step\.jsonl$/);
    const rows = readRows(path.join(results, name)).filter(isTimed);
    expect(rows.map(({ system, round }) => ({ system, round }))).toEqual([
      { system: "videomae", round: 1 },
      { system: "pytorch", round: 1 },
    ]);
    expect(identity(rows[1])).toBe(identity(rows[0]));
    // Rate times time is the work of a call: the same number of operations on both sides.
    const work = (row: TimedRow) => (row.bench === "step" ? row.gflopPerSecond * row.medianMs : 0);
    expect(work(rows[1]) / work(rows[0])).toBeCloseTo(1, 4);
  });

  it("starts no row after its budget", () => {
    expect(run("gemm.py", "--device", "cpu", "--quick", "--budget", "0")).toMatchObject({ status: 0, rows: [] });
  });

  it("without a GPU says so in one row, with status 3", () => {
    const { status, rows } = run("attention.py", "--device", "cuda", "--quick");
    if (status === 0) return console.log("skipped: there is a GPU");
    expect(status).toBe(3);
    expect(rows).toMatchObject([
      { bench: "attention", device: "cuda", error: expect.stringContaining("no usable GPU") },
    ]);
  });
});

it("a peer whose interpreter has no PyTorch says so in one row, with status 3", () => {
  const script = path.join(checkout, "bench", "peers", "gemm.py");
  // -S -I: an interpreter without any installed package
  const bare = `import sys; sys.path.insert(0, ${JSON.stringify(path.dirname(script))}); sys.argv = ["gemm.py", "--device=cpu"]; import gemm`;
  const { status, stdout } = spawnSync(python, ["-S", "-I", "-c", bare], { encoding: "utf8" });
  expect(parseRow(stdout.trim(), "gemm.py")).toMatchObject({
    bench: "gemm",
    device: "cpu",
    error: expect.stringContaining("PyTorch cannot be imported"),
  });
  expect(status).toBe(3);
});

it.runIf(haveShared && haveSafetensors)("the peer computes what the reference does", () => {
  const { status, rows, stderr } = run(
    "check.py",
    "--device",
    "cpu",
    "--fixtures",
    path.join(sharedFolder, "fixtures"),
  );
  expect(
    rows.filter((row) => !("verdict" in row) || row.verdict !== "as expected"),
    stderr,
  ).toEqual([]);
  expect(rows).toHaveLength(3 * 3 * 3 + 1 + 2 * 2);
  expect(status).toBe(0);
});
