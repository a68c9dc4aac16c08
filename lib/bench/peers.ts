// PyTorch at the same work. The package has no Python in it: the peers are scripts of a checkout of the project
// (bench/peers), run by an interpreter that has PyTorch. They print rows of the one format.

import { existsSync } from "node:fs";
import path from "node:path";
import { VideomaeError } from "../errors.js";
import { childProcess, readline } from "../library.js";
import { packageRoot } from "../manifest.js";
import { parseRow, type Row } from "./row.js";

/** By which a peer says, in a row, that PyTorch or the device is missing. */
const NOT_HERE = 3;

/** What runs the peers, and where they are. */
export interface Peers {
  readonly python: string;
  readonly folder: string;
}

/**
 * The folder of the peers.
 * @param given  what the user names; undefined: that of this checkout
 * @throws VideomaeError where there are none
 */
export function findPeers(op: string, given?: string): string {
  const folder = given ?? path.join(packageRoot, "bench", "peers");
  if (existsSync(path.join(folder, "pretrain_step.py"))) return folder;
  const hint = "they are no part of the package: name bench/peers of a checkout of the project with --peers";
  throw new VideomaeError({ op, expected: `PyTorch's scripts (pretrain_step.py ...) in ${folder}`, got: "none", hint });
}

/** Why an interpreter cannot run the peers; undefined where it can. */
export function whyNoTorch(python: string): string | undefined {
  try {
    childProcess().execFileSync(python, ["-c", "import torch"], { stdio: ["ignore", "ignore", "pipe"] });
    return undefined;
  } catch (cause) {
    const { code, stderr } = cause as NodeJS.ErrnoException & { stderr?: Buffer };
    if (code === "ENOENT") return "no such program";
    return stderr?.toString().trim().split("\n").at(-1) || "no module torch";
  }
}

/** @throws VideomaeError when an interpreter cannot run the peers */
export function requireTorch(op: string, python: string): void {
  const got = whyNoTorch(python);
  if (got === undefined) return;
  const hint = `${python} -m pip install torch, or name an interpreter that has it`;
  throw new VideomaeError({ op: `${op} ${python}`, expected: "an interpreter with PyTorch", got, hint });
}

/**
 * Runs a program that prints rows.
 * @param onRow  gets each as it comes
 * @param signal  ends the program
 * @throws VideomaeError when a line is no row, or the program fails in another way than by saying what is missing
 */
export async function runForRows(
  [program, ...argv]: readonly string[],
  onRow: (row: Row) => void,
  signal?: AbortSignal,
): Promise<void> {
  const child = childProcess().spawn(program, argv, { stdio: ["ignore", "pipe", "inherit"] });
  const end = () => child.kill();
  signal?.addEventListener("abort", end);
  const ended = new Promise<number | string | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, by) => resolve(code ?? by));
  });
  ended.catch(() => {}); // it is awaited below
  const op = path.basename(argv.find((word) => /\.(py|js)$/.test(word)) ?? program);
  try {
    for await (const line of readline().createInterface({ input: child.stdout })) onRow(parseRow(line, op));
    const status = await ended;
    if (status === 0 || status === NOT_HERE || signal?.aborted) return;
    throw new VideomaeError({ op, expected: "exit status 0", got: String(status) });
  } finally {
    end();
    signal?.removeEventListener("abort", end);
  }
}
