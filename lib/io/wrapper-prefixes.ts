// Names of parameters without what wrapping a model put before them: `module.` of data-parallel training and averaged
// models, `_orig_mod.` of a compiled model or part of one, `backbone.` of detection toolboxes, `model.` of models on the Hugging Face hub
// and of training frameworks.

import { VideomaeError } from "../errors.js";

const wrapperPrefixes = ["module.", "model.", "backbone."];
const compiled = /(?<=^|\.)_orig_mod\./g;

export interface UnwrappedNames {
  /** The prefixes taken off, in the order met. */
  readonly wrappers: readonly string[];
  /** From a bare name to the file's. */
  readonly stored: ReadonlyMap<string, string>;
}

/**
 * Takes wrappers off names, as many as there are.
 * @param path  for messages
 * @throws VideomaeError when two names become one
 */
export function unwrapNames(path: string, names: readonly string[]): UnwrappedNames {
  const wrappers = new Set<string>();
  const stored = new Map<string, string>();
  for (const name of names) {
    let bare = name.replace(compiled, "");
    if (bare !== name) wrappers.add("_orig_mod.");
    for (let prefix = prefixOf(bare); prefix !== undefined; prefix = prefixOf(bare)) {
      wrappers.add(prefix);
      bare = bare.slice(prefix.length);
    }
    const other = stored.get(bare);
    if (other !== undefined) {
      const hint = "the file holds two models: save the one you want by itself";
      throw new VideomaeError({ op: path, expected: "one set of weights", got: `both "${other}" and "${name}"`, hint });
    }
    stored.set(bare, name);
  }
  return { wrappers: [...wrappers], stored };
}

function prefixOf(name: string): string | undefined {
  return wrapperPrefixes.find((prefix) => name.startsWith(prefix));
}
