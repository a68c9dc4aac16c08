// What `videomae bench` prints: a table a kind of work, and what changed since an earlier file.
import { gflopOf, peakOf, rateOf, threeDigits, workName } from "./described.js";
import { isDisturbed, noiseOf } from "./noise-of.js";
import { bestSide, groupBy, middleRow, ratioOf, type Side, variantText } from "./pairing.js";
import { type FailedRow, identity, isTimed, machineOf, type Row, type TimedRow } from "./row.js";
import { textTable } from "./text-table.js";
import type { Verdicts } from "./verdict.js";

const titles: Record<TimedRow["bench"], string> = {
  gemm: "Dense products",
  attention: "Attention",
  bandwidth: "Bound by memory",
  step: "Training step, dual masking",
  classifier: "Classifier",
  loader: "Loader",
};

/** The tables of a run. */
export function benchmarkReport(rows: readonly Row[]): string {
  const timed = rows.filter(isTimed);
  const own = timed.filter(({ system }) => system === "videomae");
  const peak = peakOf(own);
  const parts = [...groupBy(own, ({ bench }) => bench).values()].map((kind) => section(kind, timed, peak));
  const notes = [
    "ms: median of a call. noise: the middle half of the times, or the range of the rounds where that is more.",
    ...(peak === undefined
      ? []
      : [`of peak: of the fastest dense product of this run, ${threeDigits(peak)} GFLOP/s on ${machineOf(own[0])}.`]),
    ...(timed.some(({ system }) => system === "pytorch")
      ? ["ratio: PyTorch's time over ours, above 1 ours is faster; in brackets its range over the rounds."]
      : []),
    ...(own.some((row) => isDisturbed(bestSide([row])))
      ? [
          "†: other programs kept the machine busy meanwhile; such times are too long and scatter, and their ratios mean little.",
        ]
      : []),
  ];
  const failed = rows.filter((row): row is FailedRow => "error" in row).map(failureLine);
  return [...parts, [...notes, ...failed].join("\n")].join("\n\n");
}

/** The rows of one kind of work. */
function section(own: readonly TimedRow[], all: readonly TimedRow[], peak: number | undefined): string {
  const [{ bench, device, dtype, threads }] = own;
  const works = [...groupBy(own, identity)];
  const peers = new Map(
    groupBy(
      all.filter(({ system }) => system === "pytorch"),
      identity,
    ),
  );
  const ofPeak = bench === "gemm" || bench === "attention" || bench === "step";
  const compared = works.some(([id]) => peers.has(id));
  const unit = rateOf(own[0], 1).unit;
  const head = [
    ...["", "ms", "noise", unit],
    ...(bench === "step" ? ["GFLOP/s"] : []),
    ...(ofPeak ? ["of peak"] : []),
    ...(compared ? ["PyTorch ms", "ratio"] : []),
  ];
  const lines = works.map(([id, rows]) => {
    const side = bestSide(rows);
    const gflop = gflopOf(rows[0], side.medianMs);
    return [
      ...[workName(rows[0]), milliseconds(side), percent(noiseOf(side), 1)],
      threeDigits(rateOf(middleRow(side), side.medianMs).value),
      ...(bench === "step" ? [threeDigits(gflop!)] : []),
      ...(ofPeak ? [peak === undefined ? "" : percent(gflop! / peak, 0)] : []),
      ...(compared ? against(side, peers.get(id)) : []),
    ];
  });
  const where = bench === "loader" ? ofWorkers(own) : [device, dtype, threads ? plural(threads, "thread") : ""];
  return `${[titles[bench], ...where.filter(Boolean)].join(", ")}\n${textTable(head, lines)}`;
}

function ofWorkers([{ threads = 0 }]: readonly TimedRow[]): string[] {
  return [plural(threads, "worker")];
}

function against(ours: Side, rows: TimedRow[] | undefined): string[] {
  if (rows === undefined) return ["", ""];
  const theirs = bestSide(rows);
  const { ratio, spread } = ratioOf(ours, theirs);
  const range = spread ? ` (${spread.map((value) => value.toFixed(2)).join(" to ")})` : "";
  const variant = variantText(middleRow(theirs));
  const spoilt = isDisturbed(ours) || isDisturbed(theirs) ? "†" : "";
  return [
    `${milliseconds(theirs)}${variant.includes("compile=default") ? " compiled" : ""}`,
    `${ratio.toFixed(2)}${range}${spoilt}`,
  ];
}

/** What is faster and slower than in an earlier file, and what cannot be compared with it. */
export function verdictReport(earlier: string, { compared, refused }: Verdicts): string {
  const ours = ({ system, bench, work }: Pick<Verdicts["refused"][number], "system" | "bench" | "work">) =>
    `${titles[bench].toLowerCase()}, ${work}${system === "pytorch" ? " (PyTorch)" : ""}`;
  const parts: string[] = [`Against ${earlier} (above 1: faster now)`];
  if (compared.length > 0) {
    const head = ["", "earlier ms", "now ms", "ratio", "noise", "verdict"];
    const lines = compared.map((one) => [
      ours(one),
      ...[threeDigits(one.earlierMs), threeDigits(one.nowMs), one.ratio.toFixed(2), percent(one.noise, 1), one.verdict],
    ]);
    parts.push(textTable(head, lines));
  } else parts.push("nothing in it can be compared with this run");
  const groups = groupBy(refused, ({ reasons }) => reasons.join("; "));
  for (const [reasons, works] of groups) parts.push(`not compared, ${reasons}: ${works.map(ours).join(" | ")}`);
  if (compared.some(({ verdict }) => verdict === "disturbed"))
    parts.push(
      "disturbed: other programs kept the machine busy in one of the two runs, so a difference means nothing.",
    );
  return parts.join("\n");
}

function failureLine(row: FailedRow): string {
  const { bench, system, model, name, dtype, error } = row as Record<string, unknown>;
  return `failed: ${[system, bench, model ?? name, dtype].filter(Boolean).join(" ")}: ${error}`;
}

const milliseconds = (side: Side) => `${threeDigits(side.medianMs)}${isDisturbed(side) ? "†" : ""}`;
const percent = (part: number, digits: number) => `${(100 * part).toFixed(digits)} %`;
const plural = (count: number, what: string) => `${count} ${what}${count === 1 ? "" : "s"}`;
