// --device and --dtype of the commands that are no run: what `auto` means is decided as for a run.
import { type Command, Option } from "commander";

/** Adds the options of `ComputeOptions`. */
export function addComputeOptions(command: Command): Command {
  return command
    .option("--device <name>", "what computes: cpu, cuda, cuda:1 ...; auto: the CPU", "auto")
    .addOption(
      new Option("--dtype <name>", "what activations are in; auto: f32 on the CPU, bf16 on a GPU")
        .choices(["auto", "f32", "bf16"])
        .default("auto"),
    );
}
