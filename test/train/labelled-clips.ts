// Small labelled clips, and a classifier to begin with, for tests of trainings that need classes.
import path from "node:path";
import type { FinetuneRunOptions } from "#lib/config/finetune-config.js";
import { openCheckpoint } from "#lib/io/checkpoint.js";
import { makeClips } from "../../examples/make-clips.js";

/** Makes a folder with a sub-folder for each class, each of `count` clips that differ from those of the others. */
export async function makeLabelledClips(folder: string, classes: readonly string[], count: number): Promise<void> {
  for (const [seed, name] of classes.entries()) {
    await makeClips(path.join(folder, name), { count, frames: 12, size: 32, seed });
  }
}

/** A classifier of a few thousand parameters. */
export const tinyClassifier = {
  ...{ width: 24, depth: 2, heads: 2, image: 32, frames: 4, stride: 2, views: 1, batchSize: 4, warmupSteps: 1 },
  ...{ lr: 0.1, randAugment: "none", logEvery: 1, saveEvery: 1000, workers: 1 },
} satisfies Partial<FinetuneRunOptions>;

/** Everything a checkpoint holds, by name. */
export function checkpointContents(file: string): Map<string, Float32Array> {
  using checkpoint = openCheckpoint(file);
  const all = new Map<string, Float32Array>();
  for (const part of ["model", "expAvg", "expAvgSq"] as const) {
    for (const name of checkpoint.names(part)) all.set(`${part} ${name}`, checkpoint.read(part, name).data);
  }
  return all;
}
