// Times of our dense products and of our attention, at the shapes of shapes.json: one row each, with the identity of
// the rows of peers/gemm.py and peers/attention.py. And what the processor can do at most ("peak").
//
//   npm run bench:kernels -- --only gemm --dtypes f32,bf16 --threads 2
//
// The C++ programs of native/bench measure; this completes their rows. Their build is that of the native tests.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { origin } from "#lib/bench/machine.js";
import { parseRow } from "#lib/bench/row.js";
import { attentionShapes, gemmShapes } from "#lib/bench/shapes.js";
import { VideomaeError } from "#lib/errors.js";
import { checkout } from "./checkout.js";
import { runCommand } from "./command.js";

/** A program of native/bench: its arguments, and how many rows it prints for each. Where it names its rows itself, none. */
interface Program {
  readonly file: string;
  readonly work: (quick: boolean, dtype: string) => readonly { name: string; argument: string }[];
  readonly rowsEach: number;
}

const programs: Record<"peak" | "gemm" | "attention", Program> = {
  peak: { file: "cpu_peak", work: () => [], rowsEach: 1 },
  gemm: {
    file: "gemm_bench",
    work: (quick, dtype) =>
      gemmShapes(quick).map((p) => ({ name: p.name, argument: `${dtype}:${p.m}x${p.n}x${p.k}:${p.layout}` })),
    rowsEach: 1,
  },
  attention: {
    file: "attention_bench",
    work: (quick, dtype) =>
      attentionShapes(quick).map((s) => ({
        name: s.name,
        argument: `${dtype}:${s.clips}x${s.heads}x${s.tokens}x${s.headWidth}`,
      })),
    rowsEach: 2,
  },
};

/** A program of native/bench, as CMake left it. */
function findProgram(file: string): string {
  const work = path.join(checkout, ".cmake", "Release");
  const found = [path.join(work, "Release", file), path.join(work, file)].find((place) => existsSync(place));
  if (found) return found;
  const hint = "build it: node scripts/build-native.mjs --tests";
  throw new VideomaeError({ op: "bench:kernels", expected: `${file} in ${work}`, got: "none", hint });
}

interface Options {
  readonly threads: string;
  readonly dtypes: readonly string[];
  readonly quick: boolean;
  readonly round: number | undefined;
}

async function measure(only: keyof typeof programs, { threads, dtypes, quick, round }: Options): Promise<void> {
  const { file, work, rowsEach } = programs[only];
  const all = dtypes.flatMap((dtype) => work(quick, dtype));
  const child = spawn(findProgram(file), ["--threads", threads, ...all.map(({ argument }) => argument)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  let lines = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    const name = all[Math.floor(lines++ / rowsEach)]?.name;
    const row = {
      ...JSON.parse(line),
      ...(name && { name }),
      ...(round && { round }),
      ...(quick && { quick }),
      ...origin(),
    };
    parseRow(JSON.stringify(row), file);
    console.log(JSON.stringify(row));
  }
  const status = await ended;
  if (status !== 0) throw new VideomaeError({ op: file, expected: "exit status 0", got: String(status) });
}

await runCommand(async () => {
  const { values } = parseArgs({
    options: {
      only: { type: "string" },
      threads: { type: "string", default: String(os.availableParallelism()) },
      dtypes: { type: "string", default: "f32" },
      round: { type: "string" },
      quick: { type: "boolean", default: false },
    },
  });
  const names = Object.keys(programs) as (keyof typeof programs)[];
  const chosen = names.filter((name) => values.only === undefined || values.only === name);
  if (chosen.length === 0)
    throw new VideomaeError({ op: "bench:kernels --only", expected: names.join(" or "), got: values.only });
  const round = values.round ? Number(values.round) : undefined;
  const { threads, quick } = values;
  for (const name of chosen) await measure(name, { threads, dtypes: values.dtypes.split(","), quick, round });
});
