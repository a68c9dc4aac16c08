// Renders docs/performance.md from bench/results/*.jsonl and the list of wanted rows, so that no figure is typed by
// hand: what nobody has measured reads "unmeasured".
//
//   npm run bench:table            # writes the page
//   npm run bench:table -- --check # fails when the page is not what the results give
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { isDeepStrictEqual, parseArgs } from "node:util";
import { bestSide, groupBy, ratioOf, type Side } from "#lib/bench/pairing.js";
import { isTimed, machineOf, type Row, readRows, type TimedRow } from "#lib/bench/row.js";
import { VideomaeError } from "#lib/errors.js";
import { checkout, resultsFolder } from "./checkout.js";
import { runCommand } from "./command.js";
import { type Wanted, type WantedTable, wantedTables } from "./wanted.js";

/** Rows of one file; the name is relative to the folder of results. */
export interface ResultFile {
  readonly name: string;
  readonly rows: readonly Row[];
}

interface Placed {
  readonly file: string;
  readonly row: TimedRow;
}

const head = `# Performance

Written by \`npm run bench:table\` from the rows in [bench/results](../bench/results/README.md); do not edit it by hand.

A cell is the rate, and in brackets the median time of one call, of a system's best variant. A ratio is PyTorch's time
over ours, so above 1 ours is faster; it is given where both were measured in one sitting. The first is the median of
the ratios of the sitting's rounds, with their range; the last one compares the fastest single runs. "Unmeasured" is
what nobody has measured.

† marks a cell during whose measurement other programs kept more than a tenth of a core busy. Such times are too long
and scatter, and a ratio of medians then says mostly which system lost its processors less often: trust the ratio of
the fastest runs more, and neither very far.
`;

/** The whole page. */
export function renderPage(files: readonly ResultFile[], tables: readonly WantedTable[] = wantedTables): string {
  const placed = files.flatMap(({ name, rows }) => rows.filter(isTimed).map((row) => ({ file: name, row })));
  const usable = placed.filter(({ row }) => !row.quick);
  return [head, ...tables.map((table) => renderTable(table, usable))].join("\n");
}

function renderTable({ title, rows }: WantedTable, placed: readonly Placed[]): string {
  const lines = rows.flatMap((wanted) => renderLines(wanted, placed));
  const header = [
    "| work | videomae | PyTorch | ratio | fastest | measured |",
    "| --- | --- | --- | --- | --- | --- |",
  ];
  return [`## ${title}`, "", ...header, ...lines, ""].join("\n");
}

/** A line for each machine and number of threads that the work was measured on; one line where it was on none. */
function renderLines({ label, fields }: Wanted, placed: readonly Placed[]): string[] {
  const matching = placed.filter(({ row }) =>
    Object.entries(fields).every(([key, value]) => isDeepStrictEqual((row as Record<string, unknown>)[key], value)),
  );
  const places = groupBy(matching, ({ row }) => `${machineOf(row)}${row.threads ? `, ${row.threads} threads` : ""}`);
  if (places.size === 0) return [`| ${label} | unmeasured | unmeasured | | | |`];
  return [...places].map(([place, rows]) => renderLine(label, place, rows));
}

function renderLine(label: string, place: string, placed: readonly Placed[]): string {
  const files = [...groupBy(placed, ({ file }) => file)].sort(([, a], [, b]) => newest(b).localeCompare(newest(a)));
  const has = (rows: readonly Placed[], system: string) => rows.some(({ row }) => row.system === system);
  // The newest file with both systems gives the ratio; without one, each system's newest file gives its cell.
  const both = files.find(([, rows]) => has(rows, "videomae") && has(rows, "pytorch"));
  const source = (system: string) => both ?? files.find(([, rows]) => has(rows, system));
  const side = (system: string) => {
    const rows = source(system)?.[1]
      .map(({ row }) => row)
      .filter((row) => row.system === system);
    return rows && bestSide(rows);
  };
  const [ours, theirs] = [side("videomae"), side("pytorch")];
  const used = [...new Set([source("videomae"), source("pytorch")].filter((file) => file !== undefined))];
  const links = used.map(([file, rows]) => `[${newest(rows).slice(0, 10)}](../bench/results/${file})`);
  const ratio = both && ours && theirs ? ratioText(ours, theirs) : " | ";
  return `| ${label} | ${cell(ours)} | ${cell(theirs)} | ${ratio} | ${links.join(", ")} ${place} |`;
}

function newest(placed: readonly Placed[]): string {
  return placed.map(({ row }) => row.date).reduce((a, b) => (a > b ? a : b));
}

/** The two cells of a ratio. */
function ratioText(ours: Side, theirs: Side): string {
  const { ratio, spread, fastest } = ratioOf(ours, theirs);
  const range = spread ? ` (${spread.map((value) => value.toFixed(2)).join(" to ")})` : "";
  return `${ratio.toFixed(2)}${range} | ${fastest.toFixed(2)}`;
}

function cell(side: Side | undefined): string {
  if (!side) return "unmeasured";
  const disturbed = side.rows.some(({ otherCores = 0 }) => otherCores > 0.1) ? " †" : "";
  return `${rate(side)} (${significant(side.medianMs)} ms)${disturbed}`;
}

/** The rate at the side's median; work is the same in every row. */
function rate({ rows: [row], medianMs }: Side): string {
  const scaled = (perSecond: number) => (perSecond * row.medianMs) / medianMs;
  if (row.bench === "bandwidth") return `${significant(scaled(row.gbPerSecond))} GB/s`;
  if (row.bench === "step" || row.bench === "classifier" || row.bench === "loader")
    return `${significant(scaled(row.clipsPerSecond))} clips/s`;
  const gflop = scaled(row.gflopPerSecond);
  return row.device === "cuda" ? `${significant(gflop / 1000)} TFLOP/s` : `${significant(gflop)} GFLOP/s`;
}

function significant(value: number): string {
  return String(value >= 100 ? Math.round(value) : Number(value.toPrecision(3)));
}

/** The files of results, by name. */
export function readResults(folder: string = resultsFolder): ResultFile[] {
  const names = readdirSync(folder).filter((name) => name.endsWith(".jsonl"));
  return names.sort().map((name) => ({ name, rows: readRows(path.join(folder, name)) }));
}

if (import.meta.filename === process.argv[1]) {
  await runCommand(() => {
    const { values } = parseArgs({ options: { check: { type: "boolean", default: false } } });
    const page = path.join(checkout, "docs", "performance.md");
    const text = renderPage(readResults());
    if (!values.check) return writeFileSync(page, text);
    if (readFileSync(page, "utf8") !== text) {
      const hint = "run npm run bench:table and commit docs/performance.md";
      throw new VideomaeError({ op: page, expected: "what the results give", got: "another text", hint });
    }
  });
}
