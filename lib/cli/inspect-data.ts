// `videomae inspect data <list|folder>`: a dry run of every line.
import { Command, Option } from "commander";
import type { DecoderName } from "../data/find-decoder.js";
import type { PictureFields } from "../data/list-line.js";
import { Counter } from "../log/counter.js";
import { writeCleanList } from "../survey/clean-list.js";
import { type SurveySummary, summarize } from "../survey/summary.js";
import { type Survey, type SurveyedEntry, survey } from "../survey/survey.js";
import { interruptible } from "./interrupt.js";
import { parseNumber } from "./values.js";

interface InspectDataOptions {
  readonly fix?: string;
  readonly json?: boolean;
  readonly workers: number;
  readonly timeout: number;
  readonly thorough?: boolean;
  readonly root?: string;
  readonly framesTemplate?: string;
  readonly pictures?: PictureFields;
  readonly startIndex?: number;
  readonly frames: number;
  readonly stride: number;
  readonly views: number;
  readonly decoder: DecoderName;
}

export function inspectDataCommand(): Command {
  return new Command("data")
    .description("a dry run of every line of a list, or of every video of a folder")
    .argument("<data>", "a list file, a folder of videos, or one video")
    .option("--fix <file>", "write the good lines, each path once, as a list in the official form")
    .option("--thorough", "decode every frame, not only those of the first and the last clip: finds all damage")
    .option("--json", "print JSON (schema videomae.inspect-data/1)")
    .option("--workers <count>", "processes that decode", parseNumber, 2)
    .option("--timeout <seconds>", "longest time for one video; one that takes longer is bad", parseNumber, 60)
    .option("--root <folder>", "folder that relative paths of a list file start from")
    .option("--frames-template <name>", "file names of raw frames (default: img_{:05}.jpg)")
    .addOption(
      new Option("--pictures <form>", "what two numbers after a folder are (default: start-total)").choices([
        "start-total",
        "total-label",
      ]),
    )
    .option("--start-index <number>", "number of the first picture where a line does not say it", parseNumber)
    .option("--frames <count>", "frames of a clip", parseNumber, 16)
    .option("--stride <frames>", "video frames from one clip frame to the next", parseNumber, 4)
    .option("--views <count>", "clips taken from a video each time it is decoded", parseNumber, 1)
    .option("--decoder <name>", "auto, node-av or ffmpeg", "auto")
    .addHelpText(
      "after",
      `
The exit status is 1 when a line is bad and no clean list was asked for, 130 after Ctrl-C and 143 after SIGTERM.

Examples:
  videomae inspect data train.csv --root /data
  videomae inspect data train.csv --thorough --fix clean.csv --workers 8`,
    )
    .action(inspectData);
}

async function inspectData(data: string, options: InspectDataOptions): Promise<void> {
  await interruptible(
    async (signal) => report(data, options, await surveyWithProgress(data, options, signal)),
    () => {},
  );
}

async function surveyWithProgress(data: string, options: InspectDataOptions, signal: AbortSignal): Promise<Survey> {
  const counter = new Counter("videos");
  try {
    const { fix: _, json: __, views: ___, thorough = false, ...how } = options;
    const onProgress = (done: number, total: number) => counter.update(done, total);
    return await survey(data, { ...how, thorough, signal, onProgress });
  } finally {
    counter.stop();
  }
}

function report(data: string, options: InspectDataOptions, result: Survey): void {
  const summary = summarize(result, options.views);
  if (options.json) printJson(data, result, summary);
  else print(result, summary);
  if (result.interrupted) {
    process.stderr.write(`stopped after ${result.entries.length} of ${result.total} lines\n`);
  } else if (options.fix !== undefined) {
    const { kept, dropped } = writeCleanList(options.fix, result, { data, root: options.root });
    for (const { where, reason } of dropped) process.stderr.write(`dropped ${where}: ${reason}\n`);
    process.stderr.write(`${options.fix}: ${kept} lines, ${dropped.length} dropped\n`);
  } else if (summary.bad > 0) process.exitCode = 1;
}

function printJson(data: string, { entries, total, interrupted, warnings }: Survey, summary: SurveySummary): void {
  const lines = entries.map(({ where, written, label, source, probed, warnings: odd }) => {
    const { good, ...facts } = probed;
    return { where, path: written, kind: source?.kind, label, good, ...facts, warnings: odd };
  });
  const report = { schema: "videomae.inspect-data/1", data, total, interrupted, summary, warnings, lines };
  console.log(JSON.stringify(report, undefined, 2));
}

function print({ entries, warnings }: Survey, summary: SurveySummary): void {
  const lines = entries.filter(({ probed, warnings: odd }) => !probed.good || odd.length > 0).map(lineOf);
  const rate = (100 * summary.badRate).toFixed(1);
  const figures: [string, string][] = [
    [
      "lines",
      `${summary.lines}: ${summary.good} good, ${summary.bad} bad (${rate} %), ${summary.duplicates} duplicates`,
    ],
    ["an epoch", `${summary.clipsPerEpoch} clips`],
    ["length", `${summary.frames} frames, ${durationText(summary.seconds)} of video`],
    ["frames", histogram(summary.lengths)],
    ["sizes", histogram(summary.sizes)],
    ["frames a second", histogram(summary.rates)],
    ["warnings", histogram(summary.warnings)],
    ...warnings.map((warning): [string, string] => ["labels", warning]),
  ];
  const table = figures.filter(([, text]) => text !== "").map(([title, text]) => `${title.padEnd(16)} ${text}`);
  console.log([...lines, ...(lines.length > 0 ? [""] : []), ...table].join("\n"));
}

function lineOf({ where, written, probed, warnings }: SurveyedEntry): string {
  const what = where.endsWith(written) ? where : `${where} ${written}`;
  if (!probed.good) return `bad      ${what}: ${probed.reason}`;
  return `warning  ${what}: ${warnings.join(", ")}`;
}

function durationText(seconds: number): string {
  if (seconds < 120) return `${seconds.toFixed(0)} seconds`;
  return seconds < 7200 ? `${(seconds / 60).toFixed(1)} minutes` : `${(seconds / 3600).toFixed(1)} hours`;
}

const MOST_SHOWN = 8;

function histogram(counts: Readonly<Record<string, number>>): string {
  const entries = Object.entries(counts);
  const shown = entries.slice(0, MOST_SHOWN).map(([name, count]) => `${name}: ${count}`);
  const rest = entries.slice(MOST_SHOWN).reduce((sum, [, count]) => sum + count, 0);
  return [...shown, ...(rest > 0 ? [`others: ${rest}`] : [])].join(", ");
}
