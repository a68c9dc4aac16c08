// What commands that open weights are told of the model where the weights do not say it.
import { type Command, Option } from "commander";
import type { ClassifierConfig } from "../models/classifier-config.js";
import type { PositionMode } from "../nn/position-table.js";
import { parseNumber } from "./values.js";

export interface ModelFlags {
  readonly image?: number;
  readonly frames?: number;
  readonly heads?: number;
  readonly position?: PositionMode;
}

export function addModelOptions(command: Command): Command {
  return command
    .option("--image <pixels>", "side of the model's input, where the weights do not say (default: 224)", parseNumber)
    .option("--frames <count>", "frames of the model's input, where the weights do not say (default: 16)", parseNumber)
    .option("--heads <count>", "attention heads, for a width that is not a registered size's", parseNumber)
    .addOption(
      new Option("--position <mode>", "positional table of an unusual input").choices([
        ...["generate", "official", "interpolate"],
      ]),
    );
}

/** The fields of a model's description that are given. */
export function modelConfigOf({ image, frames, heads }: ModelFlags): Partial<ClassifierConfig> {
  return Object.fromEntries(Object.entries({ image, frames, heads }).filter(([, value]) => value !== undefined));
}
