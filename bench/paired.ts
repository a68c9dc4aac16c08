// Measures ours and PyTorch in turn, round after round, in one sitting: the only way in which times of a shared machine
// can be compared. Writes one file of rows and prints what bench:compare says of it.
//
//   npm run bench:paired -- --rounds 3 [--only peak,step,classifier,gemm,attention] [--models vit-small,vit-base]
//       [--clips 2] [--decoder 0.5,0] [--dtypes f32,bf16] [--compile none,default] [--python python3]
//
// "peak" has no partner: it is what the processor could do, in the same sitting.
//
// Rows are written as they come, so a run that is stopped keeps what it had. --quick uses tiny shapes, and keeps its
// file out of the results.
import { execFileSync, spawn } from "node:child_process";
import { appendFileSync, existsSync, mkdirSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { origin } from "#lib/bench/machine.js";
import { parseRow, readRows } from "#lib/bench/row.js";
import { VideomaeError } from "#lib/errors.js";
import { checkout, resultsFolder } from "./checkout.js";
import { runCommand } from "./command.js";
import { report } from "./compare.js";

const kinds = ["peak", "step", "classifier", "gemm", "attention"] as const;
type Kind = (typeof kinds)[number];

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

/** Runs a command and appends the rows it prints, each as it comes. */
async function collect([program, ...argv]: string[], file: string): Promise<void> {
  const child = spawn(program, argv, { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise<number | string | null>((resolve) => child.on("close", (code, by) => resolve(code ?? by)));
  for await (const line of createInterface({ input: child.stdout })) {
    parseRow(line, path.basename(argv[0]));
    appendFileSync(file, `${line}\n`);
    process.stderr.write(".");
  }
  const status = await ended;
  if (status !== 0) {
    throw new VideomaeError({ op: path.basename(argv[0]), expected: "exit status 0", got: String(status) });
  }
}

function requireTorch(python: string): void {
  try {
    execFileSync(python, ["-c", "import torch"], { stdio: ["ignore", "ignore", "pipe"] });
  } catch (cause) {
    const hint = `${python} -m pip install torch, or name an interpreter that has it by --python or VIDEOMAE_PYTHON`;
    const got = (cause as NodeJS.ErrnoException).code === "ENOENT" ? "no such program" : "no module torch";
    throw new VideomaeError({
      op: `bench:paired ${python}`,
      expected: "an interpreter with PyTorch",
      got,
      hint,
      cause,
    });
  }
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
  const only = (values.only?.split(",") ?? kinds) as readonly Kind[];
  const unknown = only.find((kind) => !kinds.includes(kind));
  if (unknown !== undefined) throw refuse("only", kinds.join(", "), unknown);
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
    },
    folder,
  };
}

await runCommand(async () => {
  const { plan, folder } = parsePlan();
  requireTorch(plan.python);
  mkdirSync(folder, { recursive: true });
  const file = freshFile(folder, plan.only.length === kinds.length ? "all" : plan.only.join("-"));
  for (let round = 1; round <= plan.rounds; round++) {
    for (const kind of plan.only) {
      process.stderr.write(`round ${round} of ${plan.rounds}, ${kind} `);
      for (const command of commands(kind, plan, round)) await collect(command, file);
      process.stderr.write("\n");
    }
  }
  process.stdout.write(`${report([{ name: path.basename(file), rows: readRows(file) }], false)}\n${file}\n`);
});
