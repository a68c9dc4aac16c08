// What the commands that read one model and write it otherwise have in common: what the weights do not say, and how the
// result is told.
import type { Command } from "commander";
import { readClassNames } from "../data/class-names.js";
import { layoutNames } from "../weights/layouts.js";
import type { OpenStoredOptions } from "../weights/stored-model.js";
import type { WrittenModel } from "../weights/write-model.js";
import { addModelOptions, type ModelFlags, modelConfigOf } from "./model-options.js";
import { bytesText } from "./values.js";

export interface StoredFlags extends ModelFlags {
  readonly labels?: string;
  readonly container?: string;
}

export function addStoredOptions(command: Command): Command {
  command.option(
    "--labels <file>",
    "names of the classes, one a line (default: those that come with the weights)",
    String,
  );
  return addModelOptions(command).option(
    "--container <key>",
    "which dict of tensors of a PyTorch file (default: model, module, state_dict)",
  );
}

/** How the model is to be opened. */
export function storedOptions(flags: StoredFlags): OpenStoredOptions & { readonly labels?: readonly string[] } {
  const { position, labels, container } = flags;
  const names = labels === undefined ? undefined : readClassNames(labels);
  return { config: modelConfigOf(flags), position, container, labels: names };
}

/** "official-pretrain, official-classifier, ..." */
export const layoutList = layoutNames.join(", ");

/** Says what was written, and on the other stream what a user must know. */
export function tellWritten({ path, layout, tensors, bytes, warnings }: WrittenModel): void {
  for (const warning of warnings) process.stderr.write(`WARNING: ${warning}\n`);
  console.log(`${path}: ${layout}, ${tensors} tensors, ${bytesText(bytes)}`);
}
