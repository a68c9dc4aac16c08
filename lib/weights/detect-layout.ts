// Which layout a file of weights has: its names lose what wrapping put before them, and what they name decides.

import { VideomaeError } from "../errors.js";
import type { TensorFile } from "../io/tensor-file.js";
import { type UnwrappedNames, unwrapNames } from "../io/wrapper-prefixes.js";
import { type RecognizedWeights, recognizeWeights } from "../models/recognize-weights.js";
import { type Layout, layouts } from "./layouts.js";

/** A file's names without wrappers, and what they are names of. */
export interface DetectedLayout extends UnwrappedNames {
  readonly layout: Layout;
  readonly recognized: RecognizedWeights;
}

/**
 * The layout of a file of weights.
 * @throws VideomaeError when it holds no model of this family, or two
 */
export function detectLayout(file: Pick<TensorFile, "path" | "names" | "entry">): DetectedLayout {
  const names = unwrapNames(file.path, file.names);
  const shapes = new Map([...names.stored].map(([bare, stored]) => [bare, file.entry(stored).shape]));
  const recognized = recognizeWeights(shapes);
  if (recognized !== undefined) return { ...names, recognized, layout: layoutOf(recognized, shapes) };
  throw new VideomaeError({
    op: file.path,
    expected: "weights of a VideoMAE model: official, or of Hugging Face",
    got: `${file.names.length} tensors${file.names.length > 0 ? `, the first named ${file.names.slice(0, 3).join(", ")}` : ""}`,
    hint: "see docs/weights.md for what can be read",
  });
}

function layoutOf({ names, kind }: RecognizedWeights, shapes: ReadonlyMap<string, unknown>): Layout {
  if (names === "official") {
    return layouts[shapes.has("encoder.patch_embed.proj.weight") ? "official-pretrain" : "official-classifier"];
  }
  if (kind === "classifier") return layouts["hugging-face-classifier"];
  const prefixed = shapes.has("videomae.embeddings.patch_embeddings.projection.weight");
  return layouts[prefixed ? "hugging-face-pretrain" : "hugging-face-model"];
}
