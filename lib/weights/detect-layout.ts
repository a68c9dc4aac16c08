// Which layout a file has, by the names in it. Names first lose the prefixes that wrapping, compiling and toolboxes put
// before every one of them.

import { VideomaeError } from "../errors.js";
import { type Layout, type LayoutName, layouts } from "./layouts.js";

/** Of a compiled module, a wrapped one, a hub model, a detection toolbox. */
const wrappers = ["_orig_mod.", "module.", "model.", "backbone."];

/** What each layout is known by: names it has, and names it has not. The first that fits is it. */
const marks: readonly (readonly [LayoutName, has: readonly string[]])[] = [
  ["hugging-face-classifier", ["videomae.embeddings.patch_embeddings.projection.weight", "classifier.weight"]],
  ["hugging-face-pretrain", ["videomae.embeddings.patch_embeddings.projection.weight"]],
  ["hugging-face-model", ["embeddings.patch_embeddings.projection.weight"]],
  ["official-pretrain", ["encoder.patch_embed.proj.weight"]],
  ["official-classifier", ["patch_embed.proj.weight"]],
];

/** A file's names without wrappers, and what they are in the file. */
export interface UnwrappedNames {
  readonly layout: Layout;
  /** The wrappers taken off, outermost first. */
  readonly wrappers: readonly string[];
  /** From a layout's name to the file's. */
  readonly stored: ReadonlyMap<string, string>;
}

/**
 * The layout of a file's names.
 * @throws VideomaeError when they are those of no layout, or two names become one without their wrappers
 */
export function detectLayout(path: string, names: readonly string[]): UnwrappedNames {
  const removed = new Set<string>();
  const stored = new Map<string, string>();
  for (const name of names) {
    let bare = name;
    for (let wrapper = wrapperOf(bare); wrapper !== undefined; wrapper = wrapperOf(bare)) {
      removed.add(wrapper);
      bare = bare.slice(wrapper.length);
    }
    const other = stored.get(bare);
    if (other !== undefined) {
      throw new VideomaeError({
        op: path,
        expected: "one set of weights",
        got: `both "${other}" and "${name}"`,
        hint: "the file holds two models: save the one you want by itself",
      });
    }
    stored.set(bare, name);
  }
  const found = marks.find(([, has]) => has.every((name) => stored.has(name)));
  if (found !== undefined) return { layout: layouts[found[0]], wrappers: [...removed], stored };
  throw new VideomaeError({
    op: path,
    expected: "weights of a VideoMAE model: official, or of Hugging Face",
    got: `${names.length} tensors${names.length > 0 ? `, the first named ${[...names].slice(0, 3).join(", ")}` : ""}`,
    hint: "see docs/weights.md for what can be read",
  });
}

function wrapperOf(name: string): string | undefined {
  return wrappers.find((wrapper) => name.startsWith(wrapper));
}
