// What is done with a lent GPU, most valuable first: facts and ceilings of the machine, probes of the hardware wrappers,
// conformance, a real training run, which kernels are fastest, our benchmarks, PyTorch's, and a subset under
// compute-sanitizer. Everything is found from the checkout in the bundle, which is the working folder of all commands.
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { ResultRow } from "./recorder.js";
import type { Stage, StageRun } from "./stage.js";
import { ours, videomae } from "./subject.js";
import { training } from "./training-stage.js";

/** The exit status by which our native programs and the peers say that there is no usable GPU. */
const NO_GPU = 3;

export interface StageOptions {
  /** Folder for the pictures of the training run. */
  readonly out: string;
  /** Lets the peers do a small piece of their work on the CPU, where there is no GPU to do it on. */
  readonly rehearse: boolean;
}

/** The command line of a PyTorch peer. */
type Peer = (name: string) => readonly string[];

export function stagesOf({ out, rehearse }: StageOptions): Stage[] {
  const peer: Peer = (name) => [
    ...["python3", `bench/peers/${name}.py`],
    ...(rehearse ? ["--device", "cpu", "--quick"] : ["--device", "cuda"]),
  ];
  return [
    { name: "machine", weight: 1, run: (run) => machine(run, peer) },
    { name: "probes", weight: 1.5, run: probes },
    { name: "conformance", weight: 2.5, run: (run) => conformance(run, peer("check")) },
    { name: "training", weight: 3, run: async (run) => training(run, { out, rehearse, gpu: await haveGpuOps(run) }) },
    { name: "kernels", weight: 1.5, run: (run) => kernels(run, out) },
    { name: "benchmarks", weight: 3, run: (run) => benchmarks(run, rehearse, out) },
    { name: "peers", weight: 4, run: (run) => peers(run, peer, rehearse) },
    { name: "sanitizer", weight: 1, run: sanitizer },
  ];
}

const node = process.execPath;

const TOOLS: Record<string, readonly string[]> = {
  nvcc: ["nvcc", "--version"],
  ncu: ["ncu", "--version"],
  "compute-sanitizer": ["compute-sanitizer", "--version"],
  cuobjdump: ["cuobjdump", "--version"],
  torch: ["python3", "-c", "import torch; print(torch.__version__)"],
};

async function machine(run: StageRun, peer: Peer): Promise<void> {
  for (const [name, argv] of Object.entries(TOOLS)) {
    let version = "";
    const onLine = (line: string) => {
      if (line.trim() !== "") version = line.trim();
    };
    const { reason } = await run.command(argv, { limit: 20, onLine, unavailable: "any" });
    if (reason === undefined) run.row({ bench: "tool", name, version });
  }
  if (await havePrograms(run)) await run.command([".cmake/Release/ceilings"], { limit: 60, unavailable: [NO_GPU] });
  for (const ceiling of [
    [...peer("bandwidth"), "--only", "copy"],
    [...peer("gemm"), "--only", "ceiling"],
  ]) {
    await run.command(ceiling, { limit: 40, unavailable: [NO_GPU] });
  }
}

async function probes(run: StageRun): Promise<void> {
  if (!(await havePrograms(run))) return;
  const folder = mkdtempSync(path.join(tmpdir(), "probes-"));
  try {
    for (const name of await probeNames(run)) {
      const argv = [".cmake/Release/probe", "run", name, "--golden", folder, "--seconds", "18"];
      const { status } = await run.command(argv, { limit: 20, unavailable: [NO_GPU] });
      if (status === NO_GPU) return; // every other probe would say the same
      const golden = path.join(folder, `${name}.txt`);
      if (existsSync(golden)) run.row({ bench: "golden", probe: name, text: readFileSync(golden, "utf8") });
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Test files whose fixtures are in the bundle, and which need no video decoder. */
const TESTS = [
  ...["attention", "binary", "dropout", "embed-visible", "layer-norm", "linear", "masked-pixel-loss", "matmul"].map(
    (name) => `test/ops/${name}.test.ts`,
  ),
  "test/autograd",
  "test/masking",
  "test/optim",
  "test/train/trajectory.test.ts",
];

/** The plug-in for GPUs; no build without nvcc has one. */
const PLUGIN = "build/Release/libvideomae_cuda.so";

/** Tests of whole models and steps that run on the device `emu`, which they take the GPU for when the plug-in says so. */
const DEVICE_TESTS = [
  ...["test/train/device.test.ts", "test/train/finetune-device.test.ts"],
  "test/autograd/compile-step-device.test.ts",
];

/** The conformance tests of the devices in this build, and the tests of the package against its reference fixtures. */
async function conformance(run: StageRun, check: readonly string[]): Promise<void> {
  const vitest = (tests: readonly string[]) => [
    ...[node, "node_modules/vitest/vitest.mjs", "run", ...tests],
    "--reporter=json",
  ];
  const env = { VIDEOMAE_SHARED: path.resolve("../shared") };
  if (await haveGpuOps(run)) {
    for (const kernels of ["", ...OTHER_KERNELS]) await nativeOps(run, "cuda", kernels);
    const onGpu = { ...env, VIDEOMAE_EMU_PLUGIN: path.resolve(PLUGIN) };
    const row = (report: ResultRow) => conformanceRow("device tests on cuda", ...outcomeOf(report));
    await run.command(vitest(DEVICE_TESTS), { row, env: onGpu });
  }
  await nativeOps(run, "cpu");
  await run.command(vitest(TESTS), { row: (report) => conformanceRow("package tests", ...outcomeOf(report)), env });
  // The opponent, too, must do the right work: on a GPU its captured step is checked by these.
  await run.command([...check, "--fixtures", "../shared/fixtures"], { unavailable: [NO_GPU] });
}

/** Whether ops can run on a GPU here, which is recorded once where they cannot. */
function haveGpuOps(run: StageRun): Promise<boolean> {
  gpuOps ??= findGpuOps(run);
  return gpuOps;
}

let gpuOps: Promise<boolean> | undefined;

async function findGpuOps(run: StageRun): Promise<boolean> {
  if (!existsSync(PLUGIN)) {
    run.unavailable("ops on the GPU", `this build has no ${PLUGIN}`);
    return false;
  }
  const argv = [".cmake/Release/conformance_test", "--device", "cuda", "fill"];
  const { status } = await run.command(argv, { unavailable: [NO_GPU], onLine: () => {} });
  return status !== NO_GPU;
}

/** Kernels that stand in for the default ones, so that each does every op that it can. */
const OTHER_KERNELS = [
  "attention_forward=head,attention_backward=head-pipelined,layer_norm_backward=staged,pixel_loss=staged,embed_visible=staged",
  "gemm=wgmma-128x256,attention_forward=wgmma,attention_backward=wgmma",
  "gemm=wgmma-128x192,attention_forward=wgmma3",
  "gemm=wgmma-128x128,launch=programmatic",
];

/** Every op over its cases on one device, by its default kernels or by others. */
async function nativeOps(run: StageRun, device: "cpu" | "cuda", kernels = ""): Promise<void> {
  const lines: string[] = [];
  const argv = [".cmake/Release/conformance_test", "--device", device];
  await run.command(argv, { onLine: (line) => lines.push(line), env: { VIDEOMAE_CUDA_VARIANTS: kernels } });
  const named = (word: string) => lines.filter((line) => line.startsWith(word)).map((line) => line.slice(word.length));
  const name = `native ops on ${device}${kernels && ` by ${kernels}`}`;
  run.row(conformanceRow(name, named("ok ").length, named("FAILED ")));
}

function conformanceRow(name: string, passed: number, failed: readonly string[]): ResultRow {
  const detail = failed.length > 0 ? `${failed.length} failed: ${failed.slice(0, 5).join("; ")}` : undefined;
  const verdict = passed > 0 && failed.length === 0 ? "as expected" : "failed";
  return { bench: "conformance", ...ours(), name, verdict, cases: passed + failed.length, ...(detail && { detail }) };
}

/** Passed and failed tests of vitest's report; a file that cannot be loaded counts as a failed test. */
function outcomeOf(report: ResultRow): [number, string[]] {
  type File = { name: string; status: string; assertionResults: { status: string; fullName: string }[] };
  const failed = (report.testResults as File[]).flatMap(({ name, status, assertionResults }) => {
    const tests = assertionResults.filter((test) => test.status === "failed").map((test) => test.fullName);
    return status === "failed" && tests.length === 0 ? [name] : tests;
  });
  return [report.numPassedTests as number, failed];
}

/** Which kernels are fastest in the steps that are measured below; the table stays in the folder that is taken home. */
async function kernels(run: StageRun, out: string): Promise<void> {
  if (!(await haveGpuOps(run))) return;
  for (const [model, batch] of GPU_STEPS) {
    const argv = [...videomae, "tune", "--model", model, "--batch-size", String(batch)];
    await run.command(argv, { limit: run.left() * 0.6, env: { VIDEOMAE_CACHE: out } });
  }
}

async function benchmarks(run: StageRun, rehearse: boolean, out: string): Promise<void> {
  if (await haveGpuOps(run)) {
    for (const [model, batch] of GPU_STEPS) {
      const argv = [node, "build/bench/step.js", "--device", "cuda", "--dtype", "bf16", "--model", model];
      for (const VIDEOMAE_KERNELS of ["off", ""]) {
        const env = { VIDEOMAE_CACHE: out, VIDEOMAE_KERNELS };
        await run.command([...argv, "--batch", String(batch)], { limit: run.left() * 0.3, env });
      }
    }
    const { attention, gemm } = JSON.parse(readFileSync("bench/shapes.json", "utf8")) as Shapes;
    const sizes = attention.cuda.map((s) => `bf16:${s.clips}x${s.heads}x${s.tokens}x${s.headWidth}`);
    for (const VIDEOMAE_CUDA_VARIANTS of ATTENTION_KERNELS) {
      const limit = run.left() * 0.3;
      await run.command([".cmake/Release/attention_device_bench", ...sizes], {
        limit,
        env: { VIDEOMAE_CUDA_VARIANTS },
      });
    }
    const productsOf = (shapes: Shapes["gemm"]["layers"]) =>
      shapes.flatMap(({ m, n, k }) => [`bf16:nt:${m}x${n}x${k}`, `bf16:nn:${m}x${k}x${n}`, `bf16:tn:${n}x${k}x${m}`]);
    const products = (shapes: Shapes["gemm"]["layers"], env: Record<string, string>) =>
      run.command([".cmake/Release/gemm_device_bench", ...productsOf(shapes)], { limit: run.left() * 0.25, env });
    const wide = gemm.layers.filter(({ name }) => /^[LHg] encoder/.test(name));
    for (const variant of GEMM_VARIANTS)
      await products([...gemm.ceiling, ...wide], { VIDEOMAE_CUDA_VARIANTS: `gemm=${variant}` });
    for (const VIDEOMAE_CUBLASLT of ["off", "on"])
      await products([...gemm.ceiling, ...gemm.layers], { VIDEOMAE_CUBLASLT });
    for (const VIDEOMAE_CUDA_VARIANTS of MEMORY_KERNELS) {
      const limit = run.left() * 0.4;
      await run.command([".cmake/Release/device_bandwidth_bench"], { limit, env: { VIDEOMAE_CUDA_VARIANTS } });
    }
    return;
  }
  await run.command([node, "build/bench/kernels.js", ...(rehearse ? ["--quick"] : [])]);
  for (const model of rehearse ? ["vit-small"] : ["vit-small", "vit-base"]) {
    await run.command([node, "build/bench/step.js", "--model", model, "--batch", "2"]);
  }
}

/** Kernels of attention: those that every device has, those that do whole heads of few tokens, and Hopper's for many. */
const ATTENTION_KERNELS = [
  "",
  "attention_forward=head,attention_backward=head-pipelined",
  "attention_forward=wgmma,attention_backward=wgmma",
  "attention_forward=wgmma3",
];

/** Kernels of the ops that memory bounds: those that every device has, those that stage operands in shared memory, and
 * launches that may begin early. */
const MEMORY_KERNELS = ["", "layer_norm_backward=staged,pixel_loss=staged,embed_visible=staged", "launch=programmatic"];

/** Models and clips of the steps that are measured, as the peers have them. */
const GPU_STEPS = [
  ["vit-base", 32],
  ["vit-large", 32],
  ["vit-small", 64],
] as const;

/** What makes products on Hopper besides cuBLASLt and `mma.sync`: native/cuda/variants.cpp. */
const GEMM_VARIANTS = ["wgmma-128x256", "wgmma-128x192", "wgmma-128x128"];

/** What is used of bench/shapes.json. */
interface Shapes {
  readonly attention: { readonly cuda: readonly Record<"clips" | "heads" | "tokens" | "headWidth", number>[] };
  readonly gemm: Readonly<
    Record<"ceiling" | "layers", readonly ({ readonly name: string } & Record<"m" | "n" | "k", number>)[]>
  >;
}

/** PyTorch at the same work, what is wanted most first; each script starts no row when its share of the time is over.
 * `full` is what a rehearsal leaves out. */
const PEERS: { readonly name: string; readonly full: readonly string[]; readonly share: number }[] = [
  { name: "pretrain_step", full: ["--models", "vit-base", "--compile", "none", "default"], share: 0.4 },
  { name: "attention", full: [], share: 0.4 },
  { name: "pretrain_step", full: ["--models", "vit-giant", "vit-huge", "--compile", "none", "blocks"], share: 0.5 },
  { name: "gemm", full: [], share: 0.5 },
  { name: "bandwidth", full: [], share: 0.4 },
  { name: "pretrain_step", full: ["--models", "vit-large", "vit-small", "--compile", "none", "default"], share: 0.7 },
  { name: "pretrain_step", full: ["--models", "vit-base", "--compile", "max-autotune", "blocks"], share: 1 },
];

async function peers(run: StageRun, peer: Peer, rehearse: boolean): Promise<void> {
  const done = new Set<string>();
  for (const { name, full, share } of PEERS) {
    if (rehearse && done.has(name)) continue; // it would be the same again
    done.add(name);
    const limit = Math.floor(run.left() * share);
    const budget = ["--budget", String(Math.max(1, Math.floor(limit * 0.7)))]; // the row under way is finished
    const { status } = await run.command([...peer(name), ...(rehearse ? [] : full), ...budget], {
      limit,
      unavailable: [NO_GPU],
    });
    if (status === NO_GPU) return; // every other script would say the same
  }
}

/** Ops under the memory checker: those whose kernels index most. */
const SANITIZED_OPS = ["attentionBackward", "linearBackward", "maskedPixelLoss", "scatterTokens", "layerNormBackward"];

/** Probes under the tools that find what a right result hides. */
const SANITIZED: readonly [tool: string, probe: string][] = [
  ["memcheck", "tma_load"],
  ["racecheck", "mma_sync"],
  ["synccheck", "named_barrier"],
  ["memcheck", "wgmma_fragments"],
  ["racecheck", "cp_async"],
  ["synccheck", "mbarrier"],
  ["initcheck", "ldmatrix"],
];

async function sanitizer(run: StageRun): Promise<void> {
  if (!(await havePrograms(run))) return;
  const { reason } = await run.command(TOOLS["compute-sanitizer"], { limit: 20, unavailable: "any" });
  if (reason) return;
  if (await haveGpuOps(run)) {
    for (const [tool, device] of [
      ["memcheck", SANITIZED_OPS],
      ["racecheck", SANITIZED_OPS.slice(0, 2)],
    ] as const) {
      const lines: string[] = [];
      const argv = ["compute-sanitizer", "--tool", tool, "--error-exitcode", "9", ".cmake/Release/conformance_test"];
      const { status } = await run.command([...argv, "--device", "cuda", ...device], {
        limit: run.left() * 0.4,
        onLine: (line) => lines.push(line),
      });
      const failed = lines.filter((line) => line.startsWith("FAILED ") || line.includes("========= Invalid"));
      const passed = lines.filter((line) => line.startsWith("ok ")).length;
      run.row(conformanceRow(`ops under ${tool}`, passed, status === 0 ? [] : [...failed, `exit status ${status}`]));
    }
  }
  for (const [tool, name] of SANITIZED) {
    const argv = [
      "compute-sanitizer",
      "--tool",
      tool,
      "--error-exitcode",
      "9",
      ".cmake/Release/probe",
      "run",
      name,
      "--seconds",
      "300",
    ];
    const row = (result: ResultRow) => ({ ...result, probe: `${tool} ${result.probe}` });
    const { status } = await run.command(argv, { row, unavailable: [NO_GPU] });
    if (status === NO_GPU) return;
  }
}

async function probeNames(run: StageRun): Promise<string[]> {
  const names: string[] = [];
  await run.command([".cmake/Release/probe", "list"], { limit: 10, onLine: (line) => names.push(line.trim()) });
  return names.filter((name) => name !== "");
}

/** Whether the probes are there, which is recorded where they are not. */
async function havePrograms(run: StageRun): Promise<boolean> {
  missing ??= findPrograms(run);
  const reason = await missing;
  if (reason) run.unavailable("probes", reason);
  return reason === undefined;
}

/** Why there are no probes, found out once. */
let missing: Promise<string | undefined> | undefined;

/** Where the probes are not in the bundle, or do not start here, they are built from their sources. */
async function findPrograms(run: StageRun): Promise<string | undefined> {
  if (existsSync(".cmake/Release/probe") && (await probeNames(run)).length > 0) return undefined;
  const lines: string[] = [];
  const build = ["bash", "native/cuda/probe/build.sh", ".cmake/Release"];
  const { reason } = await run.command(build, { unavailable: "any", onLine: (line) => lines.push(line) });
  return reason && `not in the bundle, and not built here: ${lines.at(-1) ?? reason}`;
}
