// Takes home what a run on a lent GPU brought back: measured rows become a dated file in bench/results, the mappings
// that the probes observed become golden files. Every row is checked first, and a file of results is never overwritten.
//
//   npm run gpu:collect -- FOLDER
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseRow, type Row } from "#lib/bench/row.js";
import { VideomaeError } from "#lib/errors.js";
import { checkout } from "../checkout.js";
import { runCommand } from "../command.js";

/** Rows that tell how a run went, not what was measured; log.txt beside them has the rest of the story. */
const ACCOUNT = ["run", "stage", "command", "tool", "unavailable", "machine"];

/**
 * Writes golden files and one file of results below `target`, and returns their paths in this order.
 * @param folder  what `run.sh --out` wrote
 * @throws VideomaeError naming the line of a row that is none
 */
export function collect(folder: string, target = checkout): string[] {
  const [goldens, results]: [string[], Row[]] = [[], []];
  const file = path.join(folder, "rows.jsonl");
  for (const [i, line] of readFileSync(file, "utf8").split("\n").entries()) {
    if (line.trim() === "") continue;
    const where = `${file}:${i + 1}`;
    // What the run adds to every row for the story's sake is not part of a measurement.
    const { stage: _stage, at: _at, gpu: _gpu, ...row } = JSON.parse(line);
    if (row.bench === "golden") goldens.push(writeGolden(row, where, target));
    else if (!("cut" in row) && !ACCOUNT.includes(row.bench)) results.push(parseRow(JSON.stringify(row), where));
  }
  return results.length > 0 ? [...goldens, writeResults(results, target)] : goldens;
}

function writeGolden({ probe, text }: { probe: string; text: string }, where: string, target: string): string {
  if (!/^[a-z0-9_]+$/.test(probe)) {
    throw new VideomaeError({ op: where, expected: "the name of a probe", got: String(probe) });
  }
  const folder = path.join(target, "native", "cuda", "probe", "golden");
  mkdirSync(folder, { recursive: true });
  const file = path.join(folder, `${probe}.txt`);
  writeFileSync(file, text);
  return file;
}

function writeResults(results: Row[], target: string): string {
  const named = results.filter((row) => !("error" in row));
  const row = named.find(({ device }) => device === "cuda") ?? named[0] ?? results[0];
  const machine = (row as { machine?: { name: string } }).machine?.name ?? "unknown";
  const slug = machine
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "");
  const folder = path.join(target, "bench", "results");
  mkdirSync(folder, { recursive: true });
  for (let i = 1; ; i++) {
    const file = path.join(folder, `${row.date.slice(0, 10)}-${slug}-bundle${i > 1 ? `-${i}` : ""}.jsonl`);
    if (existsSync(file)) continue;
    writeFileSync(file, results.map((result) => `${JSON.stringify(result)}\n`).join(""));
    return file;
  }
}

if (process.argv[1] && path.resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  await runCommand(() => {
    const [folder, ...rest] = process.argv.slice(2);
    if (!folder || rest.length > 0) {
      throw new VideomaeError({
        op: "gpu:collect",
        expected: "one folder",
        got: `${process.argv.length - 2} arguments`,
      });
    }
    for (const file of collect(path.resolve(folder))) console.log(path.relative(process.cwd(), file));
  });
}
