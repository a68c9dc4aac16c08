// `videomae features <clips> --out <file or folder>`: what a model makes of clips, for other programs.
import { existsSync, mkdirSync } from "node:fs";
import path from "node:path";
import { Command, Option } from "commander";
import { type Source, sourcePath } from "../data/source.js";
import { VideomaeError } from "../errors.js";
import type { ClipFeatures, FeatureProgress } from "../eval/extract-features.js";
import type { FrameMode } from "../eval/model-input.js";
import { detectionFeatures, type FeatureOptions } from "../eval/predictor.js";
import { writeNpy } from "../io/npy.js";
import { writeSafetensors } from "../io/safetensors.js";
import { addPredictorOptions, forEachClip, type PredictorFlags, predictorOf, sourcesOf } from "./predictor-command.js";
import { parseNumber } from "./values.js";

interface FeaturesFlags extends PredictorFlags {
  readonly out: string;
  readonly window?: number;
  readonly mode?: FrameMode;
  readonly tad?: boolean;
}

export function featuresCommand(): Command {
  return addPredictorOptions(new Command("features"))
    .requiredOption("--out <path>", "a .npy file for one clip, a .safetensors file, or a folder for one .npy a clip")
    .option(
      "--window <frames>",
      "a vector for every window, so many frames from the start of one to the next",
      parseNumber,
    )
    .addOption(
      new Option(
        "--mode <mode>",
        "frames cropped, or stretched to the input, with pixels as they are or normalised",
      ).choices(["crop", "stretch", "stretch-normalized"]),
    )
    .option(
      "--tad",
      "as published for temporal detection: --window 4 --stride 1 --mode stretch, unless given otherwise",
    )
    .action(features);
}

async function features(clips: string[], flags: FeaturesFlags): Promise<void> {
  const sources = sourcesOf(clips, flags);
  const sink = sinkOf(flags.out, sources);
  const options = optionsOf(flags);
  await using predictor = await predictorOf(flags);
  await forEachClip(sources, async (source, place) => {
    const file = sourcePath(source);
    if (sink.has(place)) {
      process.stderr.write(`${file}: done already\n`);
      return;
    }
    const show = progressLine(file);
    const result = await predictor.features(source, { ...options, onProgress: show });
    sink.put(place, result);
    process.stderr.write(`${file}: ${result.shape[0]} x ${result.shape[1]}\n`);
  });
  sink.close();
}

function optionsOf({ window, stride, sampling, mode, tad }: FeaturesFlags): FeatureOptions {
  const given = Object.entries({ window, stride, mode }).filter(([, value]) => value !== undefined);
  return { ...(tad ? detectionFeatures : {}), ...Object.fromEntries(given), sampling };
}

/** Where features go. */
interface FeatureSink {
  /** Whether those of this clip are there from before. */
  has(place: number): boolean;
  put(place: number, features: ClipFeatures): void;
  close(): void;
}

function sinkOf(out: string, sources: readonly Source[]): FeatureSink {
  const extension = path.extname(out);
  if (extension === ".safetensors") return safetensorsSink(out, sources);
  if (extension === ".npy") {
    if (sources.length > 1) {
      throw new VideomaeError({
        op: "--out",
        expected: "a .safetensors file or a folder for several clips",
        got: `${out} for ${sources.length} clips`,
      });
    }
    return { has: () => false, put: (_, { values, shape }) => writeNpy(out, values, shape), close() {} };
  }
  return folderSink(out, sources);
}

/** One tensor a clip, named by its path as it was found. */
function safetensorsSink(out: string, sources: readonly Source[]): FeatureSink {
  const done = new Map<string, ClipFeatures>();
  return {
    has: () => false,
    put: (place, features) => done.set(sourcePath(sources[place]), features),
    close() {
      const tensors = [...done].map(([name, { values, shape }]) => ({
        name,
        dtype: "F32" as const,
        shape,
        data: values,
      }));
      const starts = Object.fromEntries([...done].map(([name, features]) => [name, features.starts]));
      if (tensors.length > 0) writeSafetensors(out, tensors, { starts: JSON.stringify(starts) });
    },
  };
}

/** `<name up to its first dot>.npy` a clip. Files that are there are kept, so that an interrupted run can go on. */
function folderSink(out: string, sources: readonly Source[]): FeatureSink {
  const files = sources.map((source) => path.join(out, `${path.basename(sourcePath(source)).split(".")[0]}.npy`));
  const twice = files.find((file, i) => files.indexOf(file) !== i);
  if (twice !== undefined) {
    throw new VideomaeError({
      op: "--out",
      expected: "clips whose names up to the first dot differ",
      got: `two that would both be ${twice}`,
      hint: "write a .safetensors file: it keeps whole paths",
    });
  }
  mkdirSync(out, { recursive: true });
  return {
    has: (place) => existsSync(files[place]),
    put: (place, { values, shape }) => writeNpy(files[place], values, shape),
    close() {},
  };
}

/** Windows done, on one line of a terminal; nothing where there is none, or for a single window. */
function progressLine(file: string): (progress: FeatureProgress) => void {
  return ({ done, total }) => {
    if (!process.stderr.isTTY || total === 1) return;
    process.stderr.write(`\r${file}: window ${done} of ${total}${done === total ? "\r\x1b[K" : ""}`);
  };
}
