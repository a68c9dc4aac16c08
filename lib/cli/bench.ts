// `videomae bench`: how fast this machine is at what a run does, against an earlier time and against PyTorch.
import { accessSync, constants } from "node:fs";
import path from "node:path";
import { Command } from "commander";
import { LoaderClips } from "../bench/loader-clips.js";
import { findPeers, type Peers, requireTorch, whyNoTorch } from "../bench/peers.js";
import { type Row, readRows } from "../bench/row.js";
import { type BenchmarkOptions, planBenchmarks, runBenchmarks, type Section, sections } from "../bench/suite.js";
import { benchmarkReport, verdictReport } from "../bench/suite-report.js";
import { compareBenchmarks } from "../bench/verdict.js";
import type { RunConfig } from "../config/run-options.js";
import { nearest, VideomaeError } from "../errors.js";
import { explainFileError, writeFileAtomic } from "../io/atomic-file.js";
import { PieceProgress } from "../log/piece-progress.js";
import { computeOf, openCompute } from "../train/compute.js";
import { addComputeOptions } from "./compute-options.js";
import { interruptible } from "./interrupt.js";
import { parseNumber } from "./values.js";

interface BenchFlags extends Pick<RunConfig, "device" | "dtype" | "threads"> {
  readonly only?: readonly Section[];
  readonly quick?: boolean;
  readonly models?: readonly string[];
  readonly clips?: number;
  readonly data?: string;
  readonly root?: string;
  readonly workers: number;
  readonly rounds?: number;
  readonly json?: string;
  readonly compare?: string;
  readonly acrossVersions?: boolean;
  readonly pytorch?: string;
  readonly peers?: string;
}

export function benchCommand(): Command {
  return addComputeOptions(new Command("bench"))
    .option("--only <sections>", `some of ${sections.join(",")} (default: all)`, parseSections)
    .option("--quick", "about a minute: shorter, and one model")
    .option("--threads <count>", "CPU threads; 0: as many as there are processors", parseNumber, 0)
    .option("--models <names>", "models of steps and classifiers (default: small,base; on a GPU base,large)", words)
    .option("--clips <count>", "clips in the batch of a step (default: 2; on a GPU 32)", parseCount("--clips"))
    .option("--data <path>", "videos for the loader: a folder or a list (default: ffmpeg makes some)")
    .option("--root <folder>", "folder that relative paths of a list file start from")
    .option(
      "--workers <count>",
      "threads of the loader; with one, clips/s are those of a core",
      parseCount("--workers"),
      1,
    )
    .option("--rounds <count>", "times everything is measured (default: 1; with PyTorch 2)", parseCount("--rounds"))
    .option("--json <file>", "write the measured rows, one JSON object a line")
    .option("--compare <file>", "say what is faster and what slower than in an earlier --json file")
    .option("--across-versions", "compare with rows of other versions of the package too")
    .option("--pytorch <python>", "measure PyTorch in turn, by this interpreter; auto: python3, if it has PyTorch")
    .option("--peers <folder>", "PyTorch's scripts: bench/peers of a checkout of the project (default: of this one)")
    .addHelpText(
      "after",
      `
Ctrl-C ends the run after the piece under way; what was measured is shown and written.

Examples:
  videomae bench --quick
  videomae bench --dtype bf16 --json before.json
  videomae bench --dtype bf16 --compare before.json
  videomae bench --only step --models small --pytorch auto --peers videomae/bench/peers`,
    )
    .action(bench);
}

async function bench(flags: BenchFlags): Promise<void> {
  const { quick, json, compare, acrossVersions } = flags;
  const compute = computeOf(flags);
  if (compute.device !== "cpu" && !compute.device.startsWith("cuda")) {
    const hint = "emu imitates a GPU to test its kernels; its times say nothing";
    throw new VideomaeError({ op: "bench --device", expected: "cpu or cuda", got: compute.device, hint });
  }
  const earlier = compare === undefined ? undefined : readRows(compare);
  if (json !== undefined) requireFolder(json);
  const pytorch = peersOf(flags);
  openCompute(flags);
  using clips = new LoaderClips(flags.data === undefined ? undefined : { data: flags.data, root: flags.root });
  const options: BenchmarkOptions = {
    ...{ ...compute, only: await possible(flags.only, clips), length: quick ? "quick" : "full", pytorch },
    ...{ models: flags.models, clips: flags.clips, workers: flags.workers, loaderClips: () => clips.get() },
    rounds: flags.rounds ?? (pytorch === undefined ? 1 : 2),
  };
  const rows: Row[] = [];
  await interruptible(
    async (signal) => {
      await measure(options, signal, (row) => {
        rows.push(row);
        if (json !== undefined) writeRows(json, rows);
      });
    },
    () => process.stderr.write("stopping after the piece under way\n"),
  );
  if (rows.length > 0) console.log(benchmarkReport(rows));
  if (compare === undefined || earlier === undefined) return;
  console.log(`\n${verdictReport(compare, compareBenchmarks(rows, earlier, { acrossVersions }))}`);
}

async function measure(options: BenchmarkOptions, signal: AbortSignal, onRow: (row: Row) => void): Promise<void> {
  const works = planBenchmarks(options);
  const progress = new PieceProgress(works);
  try {
    await runBenchmarks(works, options.device, onRow, (_, index) => progress.begin(index), signal);
  } finally {
    progress.stop();
  }
}

/** The sections that are asked for. By default the loader is left out, and that is said, where it has nothing to read. */
async function possible(asked: readonly Section[] | undefined, clips: LoaderClips): Promise<readonly Section[]> {
  if (asked !== undefined && !asked.includes("loader")) return asked;
  const reason = await clips.missing();
  if (reason === undefined) return asked ?? sections;
  if (asked !== undefined) throw new VideomaeError({ op: "bench --only loader", got: reason });
  process.stderr.write(`the loader is left out: ${reason}\n`);
  return sections.filter((section) => section !== "loader");
}

/** Who measures PyTorch; undefined where nobody asked for it, or `auto` finds none, which is said. */
function peersOf({ pytorch, peers, device }: BenchFlags): Peers | undefined {
  if (pytorch === undefined) return undefined;
  const op = "bench --pytorch";
  const folder = findPeers(op, peers);
  if (pytorch !== "auto") {
    requireTorch(op, pytorch);
    return { python: pytorch, folder };
  }
  const python = process.env.VIDEOMAE_PYTHON ?? "python3";
  const reason = whyNoTorch(python);
  if (reason === undefined) return { python, folder };
  process.stderr.write(`PyTorch is left out on ${device}: ${python}: ${reason}\n`);
  return undefined;
}

function writeRows(file: string, rows: readonly Row[]): void {
  const text = rows.map((row) => `${JSON.stringify(row)}\n`).join("");
  writeFileAtomic(file, (sink) => sink(new TextEncoder().encode(text)));
}

/** Minutes of measuring must not end with a file that cannot be written. */
function requireFolder(file: string): void {
  try {
    accessSync(path.dirname(file), constants.W_OK);
  } catch (cause) {
    throw explainFileError("write", file, cause);
  }
}

function parseSections(text: string): Section[] {
  const asked = words(text);
  const unknown = asked.find((name) => !sections.includes(name as Section));
  if (unknown === undefined) return sections.filter((section) => asked.includes(section));
  const near = nearest(unknown, sections);
  const hint = near && `did you mean "${near}"?`;
  throw new VideomaeError({
    op: "bench --only",
    expected: `some of ${sections.join(", ")}`,
    got: `"${unknown}"`,
    hint,
  });
}

function words(text: string): string[] {
  return text.split(",").map((word) => word.trim());
}

function parseCount(option: string): (text: string) => number {
  return (text) => {
    const count = Number(text);
    if (Number.isSafeInteger(count) && count > 0) return count;
    throw new VideomaeError({ op: `bench ${option}`, expected: "an integer of at least 1", got: text });
  };
}
