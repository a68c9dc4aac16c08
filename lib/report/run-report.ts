// The report of one run, and the sections that it is made of: curves, pictures, accuracy, what was said on the way,
// options, data and machine.

import { existsSync } from "node:fs";
import path from "node:path";
import { VideomaeError } from "../errors.js";
import { writeFileAtomic } from "../io/atomic-file.js";
import { bestCheckpointPath } from "../io/checkpoint-folder.js";
import { type Kernels, kernelsText } from "../tensor/kernels.js";
import { outcomesOf } from "./confusion.js";
import { curvesOf } from "./curves.js";
import { type Html, html } from "./html.js";
import { readOutcomes } from "./outcomes.js";
import { facts, folded, nameTable, page } from "./page.js";
import { picturesOf, type ReconstructionOptions, reconstructions } from "./reconstructions.js";
import { dataText, noteRow, recordRows, valueText } from "./record-text.js";
import { numberOf, type RunRecord, readRun, stageOf } from "./run-record.js";

/** Options of `writeRunReport`. */
export interface ReportOptions {
  /** The file to write; default `report.html` in the run's folder. */
  readonly out?: string;
  /** Which clips to show reconstructions of. */
  readonly reconstructions?: ReconstructionOptions;
}

/**
 * Writes the report of a run, one HTML file that needs nothing else, and returns its path.
 * @throws VideomaeError when the folder is none of a run, or the file cannot be written
 */
export async function writeRunReport(folder: string, options: ReportOptions = {}): Promise<string> {
  const run = readRun(folder);
  const out = options.out ?? path.join(folder, "report.html");
  const title = `${run.name}: ${stageOf(run) ?? "a run"}`;
  const body = html`<h1>${run.name}</h1><p class="muted">${introduction(run)}</p>
${await sectionsOf(run, options.reconstructions)}`;
  writeFileAtomic(out, (sink) => sink(new TextEncoder().encode(page(title, body))));
  return out;
}

/** Everything that is told of a run below its name. */
export async function sectionsOf(run: RunRecord, options: ReconstructionOptions = {}): Promise<Html> {
  const curves = curvesOf(run);
  const outcomes = readOutcomes(run.folder);
  return html`${keyFigures(run)}
${curves && html`<figure>${curves}</figure>`}
${await pictures(run, options)}
${outcomes && outcomesOf(outcomes)}
${details(run)}`;
}

/** One sentence: what kind of run, on what, by what. */
export function introduction(run: RunRecord): string {
  const { model, data } = run.options;
  const numerics = numericsOf(run);
  const where = numerics.device === undefined ? "" : ` on ${numerics.device} in ${numerics.dtype}`;
  return `${stageOf(run) ?? "training"} of ${String(model)} with ${dataText(data)}${where}, videomae ${numerics.package ?? ""}`;
}

/** The loss of the last update that was logged. */
export function lossOf({ updates }: RunRecord): string | undefined {
  const loss = numberOf(updates.at(-1), "loss");
  return Number.isFinite(loss) ? loss.toPrecision(4) : undefined;
}

/** One of the accuracies of the last validation, in percent. */
export function accuracyOf({ events }: RunRecord, which: "top1" | "top5"): string | undefined {
  const accuracy = numberOf(events.filter(({ event }) => event === "validation").at(-1), which);
  return Number.isFinite(accuracy) ? `${(100 * accuracy).toFixed(1)} %` : undefined;
}

/** What the best checkpoint was chosen by: the error of a validation, or the smoothed loss where there is none. */
function bestOf({ events, checkpoint }: RunRecord): [name: string, value: string | undefined] {
  const { best } = (checkpoint?.state ?? {}) as { best?: { step: number; loss: number } };
  return events.some(({ event }) => event === "validation")
    ? ["best top-1", best && `${(100 * (1 - best.loss)).toFixed(1)} % at ${best.step}`]
    : ["best smoothed loss", best && `${best.loss.toPrecision(4)} at ${best.step}`];
}

function keyFigures(run: RunRecord): Html {
  const last = run.updates.at(-1);
  const { guards } = (run.checkpoint?.state ?? {}) as { guards?: { skipped?: number } };
  const skipped = guards?.skipped;
  return facts([
    ["updates", last && `${last.step} of ${numberOf(last, "steps")}`],
    ["last loss", lossOf(run)],
    bestOf(run),
    ["top-1", accuracyOf(run, "top1")],
    ["top-5", accuracyOf(run, "top5")],
    ["skipped updates", skipped ? `${skipped}` : undefined],
  ]);
}

/** Reconstructions, where the run is one that makes any; the reason where they cannot be made. */
async function pictures(run: RunRecord, options: ReconstructionOptions): Promise<Html | undefined> {
  if (run.checkpoint === undefined || stageOf(run) !== "pretrain") return undefined;
  const heading = html`<h3>Reconstructions</h3>`;
  try {
    return html`${heading}${await picturesOf(await reconstructions(run.checkpoint.path, options))}`;
  } catch (error) {
    if (!(error instanceof VideomaeError)) throw error;
    return html`${heading}<p class="muted">There are none: ${error.message}</p>`;
  }
}

function details(run: RunRecord): Html {
  const { folder, options, events, checkpoint } = run;
  const notes = events.filter(({ event }) => !["validation", "machine"].includes(event));
  const best = bestCheckpointPath(folder);
  const files = [
    ["folder", path.resolve(folder)],
    ...(checkpoint ? [["newest checkpoint", path.basename(checkpoint.path)]] : []),
    ...(existsSync(best) ? [["best checkpoint", path.basename(best)]] : []),
  ] as [string, string][];
  const machine = events.filter(({ event }) => event === "machine").at(-1);
  return html`
${folded("Options", nameTable(Object.entries(options).map(([name, value]) => [name, valueText(value)])))}
${folded("Data and machine", nameTable([...dataRows(run), ...recordRows(machine), ...recordRows(numericsOf(run)), ...files]))}
${notes.length > 0 ? folded(`${notes.length} ${notes.length === 1 ? "note" : "notes"} of the log`, nameTable(notes.map(noteRow))) : undefined}`;
}

function dataRows({ options, checkpoint }: RunRecord): [string, string][] {
  const { data } = (checkpoint?.state ?? {}) as { data?: { videos?: number; list?: string } };
  return [
    ["data", dataText(options.data)],
    ...(data?.videos === undefined ? [] : [["videos", `${data.videos}`] as [string, string]]),
    ...(data?.list === undefined ? [] : [["hash of their list", data.list] as [string, string]]),
  ];
}

function numericsOf({ checkpoint }: RunRecord): Readonly<Record<string, unknown>> {
  const numerics = (checkpoint?.state.numerics ?? {}) as Record<string, unknown> & { kernels?: Kernels };
  const { kernels, ...plain } = numerics;
  return kernels === undefined ? plain : { ...plain, kernels: kernelsText(kernels) };
}
