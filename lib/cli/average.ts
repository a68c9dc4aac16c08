// `videomae average <weights...> --out <file>`: the mean of several checkpoints.
import { Command, Option } from "commander";
import { VideomaeError } from "../errors.js";
import { averageWeights, lastCheckpoints } from "../weights/average-weights.js";
import type { LayoutName } from "../weights/layouts.js";
import type { WrittenDtype } from "../weights/write-model.js";
import { layoutList, tellWritten } from "./stored-options.js";
import { parseNumber } from "./values.js";

interface AverageFlags {
  readonly out: string;
  readonly last?: number;
  readonly to?: LayoutName;
  readonly dtype: WrittenDtype;
}

export function averageCommand(): Command {
  return new Command("average")
    .argument("<weights...>", "two or more files of weights, or with --last the folder of a run")
    .requiredOption("--out <path>", "new: a .safetensors file, or a folder for the layouts of Hugging Face")
    .option("--last <count>", "the newest checkpoints of the run", parseNumber)
    .option("--to <layout>", `${layoutList} (default: the official one)`)
    .addOption(new Option("--dtype <name>", "what numbers are written in").choices(["f32", "bf16"]).default("f32"))
    .action(average);
}

async function average(weights: string[], { out, last, to, dtype }: AverageFlags): Promise<void> {
  if (last !== undefined && weights.length > 1) {
    throw new VideomaeError({ op: "--last", expected: "the folder of one run", got: `${weights.length} paths` });
  }
  const inputs = last === undefined ? weights : lastCheckpoints(weights[0], last);
  tellWritten(await averageWeights(inputs, out, { to, dtype }));
}
