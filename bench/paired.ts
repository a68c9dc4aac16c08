// Measures ours and PyTorch in turn, round after round, in one sitting: the only way in which times of a shared machine
// can be compared. Writes one file of rows and prints what bench:compare says of it.
//
//   npm run bench:paired -- --rounds 3 [--only peak,step,classifier,gemm,attention] [--models vit-small,vit-base]
//       [--clips 2] [--decoder 0.5,0] [--dtypes f32,bf16] [--compile none,default] [--python python3]
//   npm run bench:paired -- --rounds 5 --only loader --data train.csv [--root /data] [--seconds 8]
//
// "loader" needs videos, and puts either side on one processor, the same one. "peak" has no partner: it is what the processor could do, in the same sitting.
//
// Rows are written as they come, so a run that is stopped keeps what it had. --quick uses tiny shapes, and keeps its
// file out of the results.
import { appendFileSync, existsSync, mkdirSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { origin } from "#lib/bench/machine.js";
import { requireTorch, runForRows } from "#lib/bench/peers.js";
import { readRows } from "#lib/bench/row.js";
import { VideomaeError } from "#lib/errors.js";
import { checkout, resultsFolder } from "./checkout.js";
import { runCommand } from "./command.js";
import { report } from "./compare.js";

const kinds = ["peak", "step", "classifier", "gemm", "attention", "loader"] as const;
type Kind = (typeof kinds)[number];

/** Without videos there is nothing to load. */
const byDefault = kinds.filter((kind) => kind !== "loader");

interface Plan {
  readonly only: readonly Kind[];
  readonly rounds: number;
  readonly models: readonly string[];
  readonly clips: string;
  /** Ratios of the decoder's mask; 0 is masking of the encoder only. */
  readonly decoder: readonly string[];
  readonly dtypes: readonly string[];
  /** Kinds of compilation of the peer's step that are tried; all where it is undefined. */
  readonly compile: readonly string[] | undefined;
  readonly threads: string;
  readonly quick: boolean;
  readonly python: string;
  /** The options of the loader: videos and seconds. */
  readonly videos: readonly string[];
}

/** The command lines of one kind in one round, ours first. */
function commands(kind: Kind, plan: Plan, round: number): string[][] {
  const { quick, threads, python, clips } = plan;
  const shared = ["--round", String(round), "--threads", threads, ...(quick ? ["--quick"] : [])];
  const ours = (script: string, ...rest: string[]) => [
    process.execPath,
    path.join(import.meta.dirname, script),
    ...rest,
    ...shared,
  ];
  const peer = (script: string, ...rest: string[]) => [
    python,
    path.join(checkout, "bench", "peers", script),
    ...["--device", "cpu", "--dtypes", ...plan.dtypes],
    ...rest,
    ...shared,
  ];
  const compile = plan.compile ? ["--compile", ...plan.compile] : [];
  if (kind === "peak") return [ours("kernels.js", "--only", "peak")];
  if (kind === "gemm" || kind === "attention")
    return [ours("kernels.js", "--only", kind, "--dtypes", plan.dtypes.join()), peer(`${kind}.py`)];
  if (kind === "loader")
    return [ours("clips.js"), peer("loader.py")].map((argv) => onOneCore([...argv, ...plan.videos]));
  if (kind === "classifier") {
    const model = quick ? "vit-tiny" : "vit-base";
    return [
      ...plan.dtypes.map((dtype) => ours("classifier.js", "--model", model, "--dtype", dtype)),
      peer("classifier.py", "--models", model, "--clips", "1", ...compile),
    ];
  }
  return plan.models.flatMap((model) =>
    plan.decoder.flatMap((decoder) => [
      ...plan.dtypes.map((dtype) =>
        ours("step.js", "--model", model, "--batch", clips, "--decoder", decoder, "--dtype", dtype),
      ),
      peer("pretrain_step.py", "--models", model, "--clips", clips, "--decoder", decoder, ...compile),
    ]),
  );
}

/** A command line on the last processor alone, with one thread. */
function onOneCore(argv: string[]): string[] {
  const threads = argv.indexOf("--threads");
  const single = threads < 0 ? argv : argv.with(threads + 1, "1");
  return ["taskset", "--cpu-list", String(os.cpus().length - 1), ...single];
}

/** Runs a command and appends the rows it prints, each as it comes. */
function collect(argv: readonly string[], file: string): Promise<void> {
  return runForRows(argv, (row) => {
    appendFileSync(file, `${JSON.stringify(row)}\n`);
    process.stderr.write(".");
  });
}

/** `<date>-<machine>-<what>.jsonl`, with a number where that exists already. */
function freshFile(folder: string, what: string): string {
  const { machine, date } = origin();
  const name = `${machine.name} ${machine.cores} cores`.toLowerCase().replace(/\((r|tm|c)\)/g, "");
  const slug = name.replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "");
  const stem = path.join(folder, `${date.slice(0, 10)}-${slug}-${what}`);
  for (let i = 1; ; i++) {
    const file = `${stem}${i === 1 ? "" : `-${i}`}.jsonl`;
    if (!existsSync(file)) return file;
  }
}

function parsePlan(): { plan: Plan; folder: string } {
  const { values } = parseArgs({
    options: {
      device: { type: "string", default: "cpu" },
      rounds: { type: "string", default: "3" },
      only: { type: "string" },
      models: { type: "string" },
      clips: { type: "string", default: "2" },
      decoder: { type: "string", default: "0.5" },
      dtypes: { type: "string", default: "f32" },
      compile: { type: "string" },
      threads: { type: "string", default: String(os.availableParallelism()) },
      python: { type: "string", default: process.env.VIDEOMAE_PYTHON ?? "python3" },
      out: { type: "string" },
      data: { type: "string" },
      root: { type: "string" },
      seconds: { type: "string", default: "8" },
      quick: { type: "boolean", default: false },
    },
  });
  const { quick } = values;
  const refuse = (option: string, expected: string, got: string, hint?: string) =>
    new VideomaeError({ op: `bench:paired --${option}`, expected, got, hint });
  if (values.device !== "cpu")
    throw refuse("device", "cpu", values.device, "our kernels run on the CPU; bench/peers runs alone on a GPU");
  const rounds = Number(values.rounds);
  if (!Number.isSafeInteger(rounds) || rounds < 1) throw refuse("rounds", "a positive integer", values.rounds);
  const only = (values.only?.split(",") ?? byDefault) as readonly Kind[];
  const unknown = only.find((kind) => !kinds.includes(kind));
  if (unknown !== undefined) throw refuse("only", kinds.join(", "), unknown);
  const { data, root } = values;
  if (only.includes("loader") && data === undefined) throw refuse("data", "a folder of videos or a list", "nothing");
  const videos = ["--data", data ?? "", "--source", path.basename(data ?? ""), "--seconds", values.seconds];
  const models = (values.models ?? (quick ? "vit-tiny" : "vit-small,vit-base")).split(",");
  const { clips, threads, python } = values;
  const folder = values.out ?? (quick ? path.join(checkout, "build", "bench-quick") : resultsFolder);
  return {
    plan: {
      only,
      rounds,
      models,
      clips,
      decoder: values.decoder.split(","),
      dtypes: values.dtypes.split(","),
      compile: values.compile?.split(","),
      threads,
      quick,
      python,
      videos: [...videos, ...(root === undefined ? [] : ["--root", root])],
    },
    folder,
  };
}

await runCommand(async () => {
  const { plan, folder } = parsePlan();
  requireTorch("bench:paired", plan.python);
  mkdirSync(folder, { recursive: true });
  const file = freshFile(folder, plan.only.length === byDefault.length ? "all" : plan.only.join("-"));
  for (let round = 1; round <= plan.rounds; round++) {
    for (const kind of plan.only) {
      process.stderr.write(`round ${round} of ${plan.rounds}, ${kind} `);
      for (const command of commands(kind, plan, round)) await collect(command, file);
      process.stderr.write("\n");
    }
  }
  process.stdout.write(`${report([{ name: path.basename(file), rows: readRows(file) }], false)}\n${file}\n`);
});
