// Prints how rows compare: ours against PyTorch's best variant, and, for files given oldest first, newer against older
// rows of the same system.
//
//   npm run bench:compare -- bench/results/2026-01-01-machine-all.jsonl [newer.jsonl ...] [--force]
//
// Times of different machines are not compared unless --force asks for it.
import { parseArgs } from "node:util";
import { type Comparison, compareRows, middleRow, type Side, variantText, workingBytes } from "#lib/bench/pairing.js";
import { isTimed, machineOf, type Row, readRows, type TimedRow } from "#lib/bench/row.js";
import { VideomaeError } from "#lib/errors.js";
import { runCommand } from "./command.js";

/** The report on files of rows, oldest first. */
export function report(files: readonly { name: string; rows: readonly Row[] }[], force: boolean): string {
  const failed = files.flatMap(({ rows }) => rows.filter((row) => "error" in row));
  const timed = files.map(({ name, rows }) => ({ name, rows: rows.filter(isTimed) }));
  const of = (rows: readonly TimedRow[], system: TimedRow["system"]) => rows.filter((row) => row.system === system);
  const all = timed.flatMap(({ rows }) => rows);
  const parts = [
    section("videomae against pytorch", compareRows(of(all, "videomae"), of(all, "pytorch"), force), {
      ours: "videomae",
      theirs: "pytorch",
      unpaired: timed.length < 2,
    }),
  ];
  for (const [i, newer] of timed.slice(1).entries()) {
    const older = timed[i];
    for (const system of ["videomae", "pytorch"] as const) {
      const result = compareRows(of(newer.rows, system), of(older.rows, system), force);
      const names = { ours: newer.name, theirs: older.name, unpaired: true };
      parts.push(section(`${system}: ${newer.name} against ${older.name}`, result, names));
    }
  }
  if (failed.length > 0) parts.push(["failed:", ...failed.map(failureLine)].join("\n"));
  return `${parts.filter(Boolean).join("\n\n")}\n`;
}

function section(
  title: string,
  { pairs, unpaired, apart }: Comparison,
  names: { ours: string; theirs: string; unpaired: boolean },
): string {
  const lines = pairs.map(({ identity, ours, theirs, ratio, spread, fastest, machines }) => {
    const range = spread ? ` (${spread.map((value) => value.toFixed(2)).join(" to ")})` : "";
    const across = machines.length > 1 ? `  ACROSS MACHINES: ${machines.join("; ")}` : "";
    return `  ${ratio.toFixed(2)}x${range}, fastest runs ${fastest.toFixed(2)}x  ${identity}: ${names.ours} ${side(ours)}, ${names.theirs} ${side(theirs)}${memory(ours, theirs)}${across}`;
  });
  for (const { identity, ours, theirs } of apart)
    lines.push(
      `  no ratio  ${identity}: ${ours} against ${theirs} are different machines; --force compares all the same`,
    );
  if (names.unpaired)
    for (const row of unpaired.filter(firstOfVariant))
      lines.push(`  unpaired  ${row.bench} ${row.system} ${summary(row)} on ${machineOf(row)}`);
  if (lines.length === 0) return "";
  return [`${title} (above 1: ${names.ours} is faster)`, ...lines].join("\n");
}

function firstOfVariant(row: TimedRow, i: number, rows: readonly TimedRow[]): boolean {
  return rows.findIndex((other) => summary(other) === summary(row) && other.system === row.system) === i;
}

function summary(row: TimedRow): string {
  return [row.name, row.dtype, "pass" in row ? row.pass : undefined, variantText(row)].filter(Boolean).join(", ");
}

function side(of: Side): string {
  const variant = variantText(middleRow(of));
  return `${Number(of.medianMs.toPrecision(4))} ms${variant && ` [${variant}]`}`;
}

/** What a step takes in memory beyond its fixed states, on both sides. */
function memory(ours: Side, theirs: Side): string {
  const [left, right] = [workingBytes(ours), workingBytes(theirs)];
  if (left === undefined || right === undefined) return "";
  const megabytes = (bytes: number) => `${Math.round(bytes / 1e6)} MB`;
  return `; memory ${(left / right).toFixed(2)}x (${megabytes(left)} to ${megabytes(right)})`;
}

function failureLine(row: Row): string {
  const { bench, system, device, error, model, name, dtype } = row as Record<string, unknown>;
  return `  ${[bench, system, device, model ?? name, dtype].filter(Boolean).join(" ")}: ${error}`;
}

if (import.meta.filename === process.argv[1]) {
  await runCommand(() => {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { force: { type: "boolean", default: false } },
    });
    if (positionals.length === 0)
      throw new VideomaeError({ op: "bench:compare", expected: "files of rows, oldest first", got: "none" });
    process.stdout.write(
      report(
        positionals.map((name) => ({ name, rows: readRows(name) })),
        values.force,
      ),
    );
  });
}
