// `videomae convert <weights> <out> --to <layout>`: weights in another layout.
import { Command, Option } from "commander";
import { convertWeights } from "../weights/convert-weights.js";
import type { LayoutName } from "../weights/layouts.js";
import type { WrittenDtype } from "../weights/write-model.js";
import { addStoredOptions, layoutList, type StoredFlags, storedOptions, tellWritten } from "./stored-options.js";

interface ConvertFlags extends StoredFlags {
  readonly to: LayoutName;
  readonly encoder?: boolean;
  readonly dtype: WrittenDtype;
}

export function convertCommand(): Command {
  const command = new Command("convert")
    .argument("<weights>", "a file of weights, the folder of a run, or a folder from a model hub")
    .argument("<out>", "new: a .safetensors file for official layouts, a folder for those of Hugging Face")
    .requiredOption("--to <layout>", layoutList)
    .option("--encoder", "the encoder alone, without decoder or head")
    .addOption(new Option("--dtype <name>", "what numbers are written in").choices(["f32", "bf16"]).default("f32"));
  return addStoredOptions(command).action(convert);
}

async function convert(weights: string, out: string, flags: ConvertFlags): Promise<void> {
  const { to, encoder, dtype } = flags;
  tellWritten(await convertWeights(weights, out, { to, encoder, dtype, ...storedOptions(flags) }));
}
