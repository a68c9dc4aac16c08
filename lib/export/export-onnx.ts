// A classifier or an encoder as an ONNX file, for programs that run such graphs.

import { rejectUnknownOptions, VideomaeError } from "../errors.js";
import { manifest } from "../manifest.js";
import { imageNetMean, imageNetStd } from "../models/pixel-statistics.js";
import { withLabels } from "../weights/convert-weights.js";
import { type OpenStoredOptions, openStoredClassifier, type StoredClassifier } from "../weights/stored-model.js";
import type { ClassifierGraphOptions } from "./onnx-classifier.js";

/** What graph `exportOnnx` writes, of which weights. */
export interface ExportOptions extends Omit<OpenStoredOptions, "encoder">, Partial<ClassifierGraphOptions> {
  /** Names of the classes, by number; default: those that come with the weights. */
  readonly labels?: readonly string[];
  /** Weights in a second file, `<model>.onnx.data`, also where they fit into one: below 2 GiB. Default false. */
  readonly externalData?: boolean;
}

/** What `exportOnnx` wrote. */
export interface ExportedModel {
  /** The model, and after it the file of its weights where that is another. */
  readonly files: readonly string[];
  readonly input: ClassifierGraphOptions["input"];
  readonly output: ClassifierGraphOptions["output"];
  /** What a user must know. */
  readonly warnings: readonly string[];
}

const known = ["input", "output", "labels", "externalData", "config", "position", "container"];

/**
 * Writes a classifier, or the encoder of any model as a feature extractor, as an ONNX graph: operators of version 17, f32,
 * any number of clips at once. Class names, size and statistics of the input are in the file's metadata.
 *
 * @param input  a file of weights, the folder of a run (its newest checkpoint), or a model hub's folder
 * @param output  a new file that ends with `.onnx`
 * @param options.input  "f32", the default: (B, 3, T, S, S), normalised; "u8": (B, T, S, S, 3), normalised in the graph
 * @param options.output  "logits": (B, classes), the default where there is a head; "features": (B, D)
 * @throws VideomaeError when the file is damaged, has no head for "logits", or the output exists
 * @example await exportOnnx("vit_b_ft.pth", "vit-b.onnx", { input: "u8" });
 */
export async function exportOnnx(input: string, output: string, options: ExportOptions = {}): Promise<ExportedModel> {
  rejectUnknownOptions("exportOnnx", options, known);
  const { input: pixels = "f32", output: asked, labels, externalData, ...open } = options;
  if (!output.endsWith(".onnx")) {
    throw new VideomaeError({ op: "export", expected: "an output that ends with .onnx", got: output });
  }
  checkChoice("input", pixels, ["f32", "u8"]);
  if (asked !== undefined) checkChoice("output", asked, ["logits", "features"]);
  using stored = await openStoredClassifier(input, open);
  const model = labels === undefined ? stored : withLabels(stored, labels);
  const head = model.kind === "classifier";
  const result = asked ?? (head ? "logits" : "features");
  if (result === "logits" && !head) {
    throw new VideomaeError({
      op: `export ${model.path}`,
      expected: "a model with a head, for logits",
      got: "one that only gives features",
      hint: 'ask for "features"',
    });
  }
  const [{ classifierGraph }, { writeOnnx }] = await Promise.all([
    import("./onnx-classifier.js"),
    import("./onnx-file.js"),
  ]);
  const files = writeOnnx(output, classifierGraph(model, { input: pixels, output: result }), {
    externalData,
    metadata: metadataOf(model),
    version: manifest().version,
  });
  return { files, input: pixels, output: result, warnings: model.warnings };
}

/** Texts; lists are JSON. */
function metadataOf({ config, labels, preprocessing }: StoredClassifier): Record<string, string> {
  const { mean = imageNetMean, std = imageNetStd, shortSide = config.image } = preprocessing;
  return {
    ...{ frames: String(config.frames), image: String(config.image), short_side: String(shortSide) },
    ...{ mean: JSON.stringify(mean), std: JSON.stringify(std) },
    ...(labels && { labels: JSON.stringify(labels) }),
  };
}

function checkChoice(option: string, value: string, choices: readonly string[]): void {
  if (choices.includes(value)) return;
  throw new VideomaeError({ op: `export ${option}`, expected: choices.join(" or "), got: `"${value}"` });
}
