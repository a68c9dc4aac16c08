// A classifier on a labelled test set (spec 4.10 to 4.12): every clip once, from one view or from several. A clip that
// cannot be read is named and counts for nothing; none stands in for it.

import type { LabelledSource } from "../data/labelled-sources.js";
import { sourcePath } from "../data/source.js";
import { rejectUnknownOptions, VideomaeError } from "../errors.js";
import { Accuracy } from "../models/accuracy.js";
import type { PredictOptions, Predictor } from "./predictor.js";

/** How `testClassifier` measures. */
export interface TestOptions extends Pick<PredictOptions, "segments" | "crops" | "stride" | "sampling" | "signal"> {
  /** Names by class number of the sources. Where the model has names too, classes are matched by name. */
  readonly classes?: readonly string[];
  /** Called after each clip. */
  readonly onClip?: (done: number, total: number) => void;
}

/** What became of one clip. */
export interface TestedClip {
  readonly clip: string;
  /** Class numbers of the model. */
  readonly label: number;
  readonly predicted: number;
  /** Of the predicted class, and of the clip's own. */
  readonly probability: number;
  readonly labelProbability: number;
}

/** What `testClassifier` found. */
export interface TestResult {
  readonly accuracy: Accuracy;
  readonly clips: readonly TestedClip[];
  /** Clips that could not be read, and why. */
  readonly failed: readonly { readonly clip: string; readonly where: string; readonly reason: string }[];
  /** Names of the model's classes, where there are any. */
  readonly classes: readonly string[] | undefined;
}

const OPTIONS = ["segments", "crops", "stride", "sampling", "signal", "classes", "onClip"];

/**
 * Classifies every clip of a test set.
 * @throws VideomaeError when a class is none of the model's; what `signal` says when it is aborted
 */
export async function testClassifier(
  predictor: Predictor,
  sources: readonly LabelledSource[],
  options: TestOptions = {},
): Promise<TestResult> {
  rejectUnknownOptions("testClassifier", options, OPTIONS);
  const { classes, onClip = () => {}, ...views } = options;
  const { config, labels } = predictor.model;
  const toModel = classMap(sources, classes, labels, config.classes);
  const accuracy = new Accuracy(config.classes);
  const clips: TestedClip[] = [];
  const failed: { clip: string; where: string; reason: string }[] = [];
  for (const [i, source] of sources.entries()) {
    const clip = sourcePath(source);
    try {
      const { probabilities } = await predictor.predict(source, views);
      const label = toModel[source.label];
      const predicted = accuracy.add(probabilities, label);
      const [probability, labelProbability] = [probabilities[predicted], probabilities[label]];
      clips.push({ clip, label, predicted, probability, labelProbability });
    } catch (error) {
      if (!(error instanceof VideomaeError) || views.signal?.aborted) throw error;
      failed.push({ clip, where: source.where, reason: error.message });
    }
    onClip(i + 1, sources.length);
  }
  return { accuracy, clips, failed, classes: labels ?? classes };
}

/** The model's number of each class of the sources. */
function classMap(
  sources: readonly LabelledSource[],
  names: readonly string[] | undefined,
  ofModel: readonly string[] | undefined,
  count: number,
): readonly number[] {
  const fail = (expected: string, got: string, hint?: string): never => {
    throw new VideomaeError({ op: "test", expected, got, hint });
  };
  const used = new Map(sources.map((source) => [source.label, source.where]));
  const greatest = Math.max(-1, ...used.keys());
  if (names === undefined || ofModel === undefined) {
    if (greatest >= count) {
      fail(`classes from 0 to ${count - 1}, as the model has`, `class ${greatest} in ${used.get(greatest)}`);
    }
    return Array.from({ length: greatest + 1 }, (_, i) => i);
  }
  return names.map((name, i) => {
    const number = ofModel.indexOf(name);
    if (number < 0 && used.has(i)) {
      fail(`a class of the model`, `"${name}" in ${used.get(i)}`, "the model's classes and those of the list differ");
    }
    return number;
  });
}
