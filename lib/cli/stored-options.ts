// What the commands that read one model and write it otherwise have in common: what the weights do not say, and how the
// result is told.
import { type Command, Option } from "commander";
import { readClassNames } from "../data/class-names.js";
import type { PositionMode } from "../nn/position-table.js";
import { layoutNames } from "../weights/layouts.js";
import type { OpenStoredOptions } from "../weights/stored-model.js";
import type { WrittenModel } from "../weights/write-model.js";
import { bytesText, parseNumber } from "./values.js";

export interface StoredFlags {
  readonly image?: number;
  readonly frames?: number;
  readonly heads?: number;
  readonly position?: PositionMode;
  readonly labels?: string;
  readonly container?: string;
}

export function addStoredOptions(command: Command): Command {
  return command
    .option("--labels <file>", "names of the classes, one a line (default: those that come with the weights)", String)
    .option("--image <pixels>", "side of the model's input, where the weights do not say (default: 224)", parseNumber)
    .option("--frames <count>", "frames of the model's input, where the weights do not say (default: 16)", parseNumber)
    .option("--heads <count>", "attention heads, for a width that is not a registered size's", parseNumber)
    .addOption(
      new Option("--position <mode>", "positional table of an unusual input").choices([
        ...["generate", "official", "interpolate"],
      ]),
    )
    .option("--container <key>", "which dict of tensors of a PyTorch file (default: model, module, state_dict)");
}

/** How the model is to be opened. */
export function storedOptions(flags: StoredFlags): OpenStoredOptions & { readonly labels?: readonly string[] } {
  const { image, frames, heads, position, labels, container } = flags;
  const given = Object.entries({ image, frames, heads }).filter(([, value]) => value !== undefined);
  const names = labels === undefined ? undefined : readClassNames(labels);
  return { config: Object.fromEntries(given), position, container, labels: names };
}

/** "official-pretrain, official-classifier, ..." */
export const layoutList = layoutNames.join(", ");

/** Says what was written, and on the other stream what a user must know. */
export function tellWritten({ path, layout, tensors, bytes, warnings }: WrittenModel): void {
  for (const warning of warnings) process.stderr.write(`WARNING: ${warning}\n`);
  console.log(`${path}: ${layout}, ${tensors} tensors, ${bytesText(bytes)}`);
}
