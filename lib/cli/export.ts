// `videomae export <weights> <model.onnx>`: a graph for other programs.
import { Command, Option } from "commander";
import { type ExportOptions, exportOnnx } from "../export/export-onnx.js";
import { addStoredOptions, type StoredFlags, storedOptions } from "./stored-options.js";

interface ExportFlags extends StoredFlags {
  readonly input: ExportOptions["input"];
  readonly output?: ExportOptions["output"];
  readonly externalData?: boolean;
}

export function exportCommand(): Command {
  const command = new Command("export")
    .argument("<weights>", "a file of weights, the folder of a run, or a folder from a model hub")
    .argument("<model.onnx>", "the new file")
    .addOption(
      new Option("--input <kind>", "f32 (N, 3, T, S, S), normalised; or u8 (N, T, S, S, 3), normalised in the graph")
        .choices(["f32", "u8"])
        .default("f32"),
    )
    .addOption(
      new Option(
        "--output <kind>",
        "class scores, or what the head sees (default: logits where there is a head)",
      ).choices(["logits", "features"]),
    )
    .option("--external-data", "weights in a second file (default: where they do not fit into one, from 2 GiB on)");
  return addStoredOptions(command).action(exportModel);
}

async function exportModel(weights: string, out: string, flags: ExportFlags): Promise<void> {
  const { input, output, externalData } = flags;
  const exported = await exportOnnx(weights, out, { input, output, externalData, ...storedOptions(flags) });
  for (const warning of exported.warnings) process.stderr.write(`WARNING: ${warning}\n`);
  console.log(`${exported.files.join(", ")}: ${exported.input} video to ${exported.output}`);
}
