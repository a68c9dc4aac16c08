// A stage that trains nothing: the classifier that an earlier stage left, on a labelled test set, as `videomae accuracy`
// does it. Its folder holds the report of what was measured.

import { computeOptions, count, path, readingOptions } from "../config/run-options.js";
import { StageOptions } from "../config/stage-options.js";
import { readClassNames } from "../data/class-names.js";
import { readLabelledSources } from "../data/labelled-sources.js";
import { openPredictor } from "../eval/predictor.js";
import { testClassifier } from "../eval/test-classifier.js";
import { openCheckpoint } from "../io/checkpoint.js";
import { prepareFolder } from "../train/run-folder.js";
import { writeValidationReport } from "../train/validation-report.js";
import { z } from "../zod.js";
import type { StageControl, StageResult } from "./stage-kinds.js";

const shape = () => ({
  data: path().describe("labelled list, or folder with a sub-folder for each class"),
  root: z.string().default("").describe("folder that relative paths of a list file start from"),
  classes: z.string().default("").describe("file with the name of a class a line (default: a folder's own names)"),
  weights: path().describe("the classifier: the folder of a run, or a file"),
  segments: count().default(1).describe("clips spread over a video, whose scores are averaged"),
  crops: count().default(1).describe("squares spread along the longer side of the frames"),
  stride: readingOptions().stride,
  sampling: z
    .enum(["dense", "sparse"])
    .default("dense")
    .describe("neighbouring frames, or frames over the whole video"),
  decoder: readingOptions().decoder,
  device: computeOptions().device,
  dtype: computeOptions().dtype,
  out: path().default("runs/accuracy").describe("folder for the report"),
});

export const accuracyOptions = new StageOptions("accuracy", shape, {});

/**
 * Measures, and writes `validation.json` and `confusion.png` into the folder.
 * @throws VideomaeError for bad options, weights or data
 */
export async function measureAccuracy(options: unknown, { signal, onNote }: StageControl): Promise<StageResult> {
  const { data, root, classes: file, weights, out, device, dtype, decoder, ...views } = accuracyOptions.parse(options);
  const names = file === "" ? undefined : readClassNames(file);
  const { sources } = readLabelledSources(data, { root: root || undefined, classes: names, allowEmptyClasses: true });
  const chosen = { device: device === "auto" ? undefined : device, dtype: dtype === "auto" ? undefined : dtype };
  await using predictor = await openPredictor(weights, { ...chosen, decoder });
  const steps = sources.length;
  const tested = await testClassifier(predictor, sources, { ...views, classes: names, signal }).catch((error) => {
    if (signal?.aborted) return undefined;
    throw error;
  });
  if (tested === undefined) return { steps, done: 0, checkpoint: "" };
  const { accuracy, clips, failed, classes } = tested;
  for (const { where, reason } of failed) onNote?.(`not counted ${where}: ${reason}`);
  const loss = clips.reduce((sum, { labelProbability }) => sum - Math.log(labelProbability), 0) / clips.length;
  prepareFolder(out);
  const labels = classes ?? Array.from({ length: accuracy.classes }, (_, k) => `${k}`);
  await writeValidationReport(out, updatesOf(weights), { accuracy, loss, failed: failed.length }, labels);
  return { steps, done: steps, checkpoint: "" };
}

/** Updates behind the weights, where they are a checkpoint. */
function updatesOf(weights: string): number {
  if (!/checkpoint-[\w]+\.safetensors$/.test(weights)) return 0;
  using checkpoint = openCheckpoint(weights, { verify: false });
  return checkpoint.state.step;
}
