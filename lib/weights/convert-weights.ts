// Weights from one layout into another.

import { checkClassNames } from "../data/class-names.js";
import { rejectUnknownOptions, VideomaeError } from "../errors.js";
import { type OpenStoredOptions, openStoredModel, type StoredModel } from "./stored-model.js";
import { type WriteOptions, type WrittenModel, writeModel } from "./write-model.js";

/** Options of `convertWeights`. */
export interface ConvertOptions extends OpenStoredOptions, WriteOptions {
  /** Names of the classes, by number; default: those that come with the weights. */
  readonly labels?: readonly string[];
}

const known = ["to", "dtype", "encoder", "labels", "config", "position", "container"];

/**
 * Writes weights in another layout. Values are those of the file, bit for bit in f32; converting back gives them again.
 *
 * @param input  a file of weights, the folder of a run (its newest checkpoint), or a model hub's folder
 * @param output  a new `.safetensors` file for official layouts, a new folder for those of Hugging Face
 * @returns what was written, and warnings that a program should show
 * @throws VideomaeError when the file is damaged, the layout is unknown or cannot hold the model, or the output exists
 * @example await convertWeights("runs/pt", "vit-s-hf", { to: "hugging-face-pretrain" });
 */
export async function convertWeights(input: string, output: string, options: ConvertOptions): Promise<WrittenModel> {
  rejectUnknownOptions("convertWeights", options, known);
  const { to, dtype, labels, ...open } = options;
  using model = await openStoredModel(input, open);
  return writeModel(labels === undefined ? model : withLabels(model, labels), output, { to, dtype });
}

/**
 * A model with these names of classes.
 * @throws VideomaeError when there are not as many as it has classes
 */
export function withLabels<M extends StoredModel>(model: M, labels: readonly string[]): M {
  checkClassNames(labels, (i) => `class ${i}`);
  const classes = model.kind === "pre-training model" ? 0 : model.config.classes;
  if (labels.length === classes) return { ...model, labels };
  throw new VideomaeError({
    op: "labels",
    expected: classes === 0 ? "none: the model has no classes" : `${classes} names, one a class`,
    got: `${labels.length}`,
  });
}
