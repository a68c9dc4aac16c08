// A classifier on a validation set while it is trained: every clip once, one view each (spec 4.10). A clip that cannot be
// read is counted as failed, and none stands in for it.
import { noGrad } from "../autograd/grad-mode.js";
import { type LoaderOptions, loader, type VideoDataset } from "../data/loader.js";
import { sourcePath } from "../data/source.js";
import { Accuracy } from "../models/accuracy.js";
import type { ClassifierModel } from "../models/classifier.js";
import { scope } from "../tensor/scope.js";
import { keep } from "../tensor/tensor.js";
import { interruptible } from "./interruptible.js";

/** What one validation of a classifier measured. */
export interface ClassifierValidation {
  readonly accuracy: Accuracy;
  /** Mean cross-entropy of the clips. */
  readonly loss: number;
  /** Clips that could not be read. */
  readonly failed: number;
}

/** How validation clips are read. */
export type ValidationReading = Pick<
  LoaderOptions,
  "batchSize" | "workers" | "decoder" | "decodeTimeout" | "maxBadFraction"
>;

/**
 * Classifies every clip of a labelled data set in evaluation mode; the model is in training mode again afterwards.
 * @returns undefined when `signal` was aborted
 * @throws VideomaeError when there is no decoder, or too many clips cannot be read
 */
export async function validateClassifier(
  model: ClassifierModel,
  dataset: VideoDataset,
  reading: ValidationReading,
  signal?: AbortSignal,
): Promise<ClassifierValidation | undefined> {
  const accuracy = new Accuracy(model.config.classes);
  let loss = 0;
  const batches = loader(dataset, { ...reading, evaluation: true, onBadFile: () => {} });
  await using clips = interruptible(batches, signal);
  model.train(false);
  try {
    for (let held = await clips.next(); held !== undefined; held = await clips.next()) {
      using batch = held;
      using scores = noGrad(() => scope(() => keep(model.forward(batch.video)))); // (B, K)
      const values = (await scores.read()) as Float32Array;
      for (const [i, { place }] of batch.keys.entries()) {
        const source = dataset.sources[place];
        if (batch.sources[i] !== sourcePath(source)) continue; // stands in for one that cannot be read
        const row = values.subarray(i * accuracy.classes, (i + 1) * accuracy.classes);
        accuracy.add(row, source.label!);
        loss += crossEntropy(row, source.label!);
      }
    }
  } finally {
    model.train(true);
  }
  if (signal?.aborted) return undefined;
  return { accuracy, loss: loss / accuracy.clips, failed: dataset.length - accuracy.clips };
}

/** -log softmax(scores)_label, f64. */
function crossEntropy(scores: Float32Array, label: number): number {
  const greatest = scores.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const sum = scores.reduce((total, score) => total + Math.exp(score - greatest), 0);
  return greatest + Math.log(sum) - scores[label];
}
