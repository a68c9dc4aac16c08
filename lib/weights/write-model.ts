// Writing a stored model in a layout: its tensors under the layout's names, and what tells a reader the rest. Official
// layouts are one safetensors file, with a description in its header; those of Hugging Face are a folder that
// transformers opens.

import { join } from "node:path";
import { VideomaeError } from "../errors.js";
import { writeFileAtomic } from "../io/atomic-file.js";
import { requireFree, writeFolderAtomic } from "../io/new-path.js";
import { type StoredTensor, writeSafetensors } from "../io/safetensors.js";
import { writeShardedSafetensors } from "../io/sharded-tensors.js";
import { publishedGrid, tokenGrid } from "../models/sizes.js";
import { positionValues, sinusoid } from "../nn/position-table.js";
import { bf16BitsOf } from "../tensor/dtype.js";
import { headerDescription } from "./describe-model.js";
import { hubConfigJson, hubPreprocessorJson } from "./hub-files.js";
import { type Layout, type LayoutName, layoutNamed, layouts, storedNames, tableName } from "./layouts.js";
import { foldNames } from "./load-report.js";
import type { StoredModel } from "./stored-model.js";

/** What numbers are written in: f32 as they are, or rounded to the nearest bf16, ties to even. */
export type WrittenDtype = "f32" | "bf16";

/** The layout and the numbers that weights are written in. */
export interface WriteOptions {
  readonly to: LayoutName;
  /** Default "f32". */
  readonly dtype?: WrittenDtype;
}

/** What was written. */
export interface WrittenModel {
  readonly path: string;
  readonly layout: LayoutName;
  readonly tensors: number;
  /** Of the tensors. */
  readonly bytes: number;
  /** What a user must know. */
  readonly warnings: readonly string[];
}

const MOST_IN_A_FILE = 5e9; // bytes; hubs serve larger models in several files

/**
 * Writes a model.
 * @param path  of a new `.safetensors` file for official layouts, of a new folder for those of Hugging Face
 * @throws VideomaeError when the path is taken, the layout cannot hold the model, or the file system refuses
 */
export function writeModel(model: StoredModel, path: string, { to, dtype = "f32" }: WriteOptions): WrittenModel {
  const layout = layoutNamed(to);
  checkDtype(dtype);
  checkPath(path, layout);
  checkHolds(model, layout);
  const tensors = tensorsOf(model, layout, dtype);
  const bytes = tensors.reduce((sum, { byteLength }) => sum + byteLength, 0);
  if (layout.architecture === undefined) {
    writeSafetensors(path, tensors, { format: "pt", ...headerDescription(model) });
  } else {
    writeFolderAtomic(path, (folder) => {
      writeJson(join(folder, "config.json"), hubConfigJson(model, layout, dtype));
      writeJson(join(folder, "preprocessor_config.json"), hubPreprocessorJson(model));
      if (bytes > MOST_IN_A_FILE) writeShardedSafetensors(folder, tensors, { maxBytes: MOST_IN_A_FILE });
      else writeSafetensors(join(folder, "model.safetensors"), tensors, { format: "pt" });
    });
  }
  const warnings = [...model.warnings, ...differingNorms(model, layout)];
  return { path, layout: layout.name, tensors: tensors.length, bytes, warnings };
}

/** The tensors of a layout; the data of each is read, cut and rounded when it is asked for. */
function tensorsOf(
  model: StoredModel,
  layout: Layout,
  dtype: WrittenDtype,
): (StoredTensor & { readonly byteLength: number })[] {
  return model.parameters.flatMap(([name, [rows, ...rest]]) => {
    const parts = storedNames(layout, tableName(name))!;
    const shape = [rows / parts.length, ...rest];
    const count = shape.reduce((product, side) => product * side, 1);
    return parts.map((part, i) => ({
      ...{ name: part, shape, dtype: dtype === "f32" ? ("F32" as const) : ("BF16" as const) },
      byteLength: count * (dtype === "f32" ? 4 : 2),
      get data() {
        const values = model.read(name).subarray(i * count, (i + 1) * count);
        return dtype === "f32" ? values : bf16BitsOf(values);
      },
    }));
  });
}

function checkDtype(dtype: string): void {
  if (dtype === "f32" || dtype === "bf16") return;
  throw new VideomaeError({ op: "dtype", expected: '"f32" or "bf16"', got: `"${dtype}"` });
}

function checkPath(path: string, { name, architecture }: Layout): void {
  requireFree(path);
  const file = architecture === undefined;
  if (path.endsWith(".safetensors") === file) return;
  const expected = file ? `a .safetensors file for ${name}` : `a folder for ${name}`;
  throw new VideomaeError({ op: `write ${path}`, expected, got: path });
}

/** Throws unless a reader of the layout gets the model that it is given. */
function checkHolds(model: StoredModel, layout: Layout): void {
  const op = `write ${layout.name}`;
  if (!layout.holds.includes(model.kind)) {
    const fits = Object.values(layouts).filter(({ holds }) => holds.includes(model.kind));
    const alone = layout.holds.includes("encoder") ? "; encoder: true (--encoder) writes its encoder alone" : "";
    throw new VideomaeError({
      op,
      expected: `a model that it holds: ${layout.holds.join(" or ")}`,
      got: `${model.path}, ${model.kind === "encoder" ? "an" : "a"} ${model.kind}`,
      hint: `${fits.map(({ name }) => name).join(" or ")} can${alone}`,
    });
  }
  const homeless = model.parameters
    .map(([name]) => name)
    .filter((name) => storedNames(layout, tableName(name)) === undefined);
  if (homeless.length > 0) {
    const got = `${homeless.length} that have none: ${foldNames(homeless).join(", ")}`;
    throw new VideomaeError({ op, expected: "a place for every parameter", got, hint: "choose an official layout" });
  }
  if (model.kind === "classifier") {
    const { pooling, norm } = model.config;
    const usual = (pooling === "mean" && norm === "pooled") || (pooling === "first-token" && norm === "tokens");
    if (!usual) {
      const expected = "a classifier that normalises its pooled vector, or takes the first of its normalised tokens";
      throw new VideomaeError({ op, expected, got: `pooling "${pooling}" with norm "${norm}"` });
    }
  }
  if (layout.architecture !== undefined) checkPosition(op, model);
}

/** transformers makes the sinusoid over all tokens, and nothing else. */
function checkPosition(op: string, { config, position }: StoredModel): void {
  const [grid, base] = [tokenGrid(config), tokenGrid(publishedGrid(config))];
  const plain = sinusoid(grid.t * grid.h * grid.w, config.width);
  if (positionValues(grid, config.width, position, base).every((value, i) => value === plain[i])) return;
  const expected = "the positional table of this token grid";
  throw new VideomaeError({
    op,
    expected,
    got: `one made by position "${position}"`,
    hint: "choose an official layout",
  });
}

/** Other programs take the epsilons of layer norms from their code; config.json has that of the blocks only. */
function differingNorms(model: StoredModel, layout: Layout): string[] {
  const { norms, title, architecture } = layout;
  const pairs: [what: string, own: number, theirs: number][] = [];
  if (architecture === undefined) pairs.push(["of the blocks", model.config.normEps, norms.normEps]);
  if (model.kind === "pre-training model") {
    pairs.push(["before the decoder's head", model.config.decoderNormEps, norms.decoderNormEps]);
  } else if (model.config.norm === "pooled") {
    pairs.push(["over the pooled vector", model.config.pooledNormEps, norms.pooledNormEps]);
  }
  return pairs
    .filter(([, own, theirs]) => own !== theirs)
    .map(
      ([what, own, theirs]) =>
        `programs for a ${title} compute the layer norms ${what} with epsilon ${theirs}, not ${own}`,
    );
}

function writeJson(path: string, value: object): void {
  writeFileAtomic(path, (sink) => sink(new TextEncoder().encode(`${JSON.stringify(value, undefined, 2)}\n`)));
}
