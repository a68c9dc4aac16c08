// What the commands that ask a predictor have in common: their options, the clips they are given, and how a failing clip
// is reported.
import { existsSync, readFileSync } from "node:fs";
import { type Command, InvalidArgumentError, Option } from "commander";
import type { DecoderName } from "../data/find-decoder.js";
import { readSources } from "../data/lists.js";
import { type Source, sourcePath } from "../data/source.js";
import { VideomaeError } from "../errors.js";
import { openPredictor, type Predictor } from "../eval/predictor.js";
import type { Device } from "../tensor/dtype.js";
import { describeReport } from "../weights/load-report.js";
import { addModelOptions, type ModelFlags, modelConfigOf } from "./model-options.js";
import { parseNumber } from "./values.js";

/** Options of every command that asks a predictor. */
export interface PredictorFlags extends ModelFlags {
  readonly weights: string;
  readonly root?: string;
  readonly device?: Device;
  readonly dtype?: "f32" | "bf16";
  readonly partial?: boolean;
  readonly decoder: DecoderName;
  readonly stride?: number;
  readonly sampling?: "dense" | "sparse";
}

export function addPredictorOptions(
  command: Command,
  argument = "<clips...>",
  description = "videos, folders of videos, or list files",
): Command {
  command
    .argument(argument, description)
    .requiredOption("--weights <path>", "a file of weights, the folder of a run, or a folder from a model hub")
    .option("--root <folder>", "folder that relative paths of a list file start from")
    .option("--stride <frames>", "video frames from one clip frame to the next (default: the run's, or 4)", parseNumber)
    .addOption(
      new Option(
        "--sampling <kind>",
        "neighbouring frames, or frames spread over the video (default: the run's, or dense)",
      ).choices(["dense", "sparse"]),
    );
  return addModelOptions(command)
    .option("--device <name>", "what computes: cpu, cuda, cuda:1 ...", "cpu")
    .addOption(new Option("--dtype <name>", "what activations are in").choices(["f32", "bf16"]).default("f32"))
    .option("--partial", "load what fits of weights that do not hold the whole model")
    .addOption(
      new Option("--decoder <name>", "what decodes video").choices(["auto", "node-av", "ffmpeg"]).default("auto"),
    );
}

/** Opens the predictor that the options describe, and says what its weights lack. */
export async function predictorOf(flags: PredictorFlags): Promise<Predictor> {
  const { weights, position, device, dtype, partial, decoder } = flags;
  const how = { position, device, dtype, partial, decoder };
  const predictor = await openPredictor(weights, { config: modelConfigOf(flags), ...how });
  const { report } = predictor.model;
  const { missing, mismatched, unknown, warnings } = report;
  if ([missing, mismatched, unknown, warnings].some((list) => list.length > 0)) {
    process.stderr.write(`${describeReport(report)}\n`);
  }
  return predictor;
}

/** The clips that arguments mean, each once, in their order. */
export function sourcesOf(clips: readonly string[], { root }: PredictorFlags): Source[] {
  const sources = clips.flatMap((clip) => readSources(clip, { root }));
  return [...new Map(sources.map((source) => [sourcePath(source), source])).values()];
}

/** Runs `work` for every clip; one that fails is named with its reason, and the status of the program is 1. */
export async function forEachClip(
  sources: readonly Source[],
  work: (source: Source, place: number) => Promise<void>,
  onError: (source: Source, reason: string) => void = () => {},
): Promise<void> {
  for (const [place, source] of sources.entries()) {
    try {
      await work(source, place);
    } catch (error) {
      if (!(error instanceof VideomaeError)) throw error;
      process.exitCode = 1;
      const clip = sourcePath(source);
      process.stderr.write(error.message.startsWith(clip) ? `${error.message}\n` : `${clip}: ${error.message}\n`);
      onError(source, error.message);
    }
  }
}

/** Names of classes, one a line. */
export function readLabels(path: string, classes: number): string[] {
  if (!existsSync(path)) throw new VideomaeError({ op: "--labels", expected: "a file", got: `nothing at ${path}` });
  const labels = readFileSync(path, "utf8")
    .replace(/^\uFEFF/, "")
    .split(/\r\n|\n|\r/)
    .map((line) => line.trim());
  while (labels.at(-1) === "") labels.pop();
  if (labels.length === classes) return labels;
  throw new VideomaeError({
    op: `--labels ${path}`,
    expected: `the names of ${classes} classes, one a line`,
    got: `${labels.length} lines`,
  });
}

/** "5x3" -> five clips, three crops */
export function parseViews(text: string): { segments: number; crops: number } {
  const match = /^(\d+)x(\d+)$/.exec(text);
  if (match) return { segments: Number(match[1]), crops: Number(match[2]) };
  throw new InvalidArgumentError("expected clips x crops, as in 5x3.");
}
