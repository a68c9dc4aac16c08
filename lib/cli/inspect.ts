// `videomae inspect`: data, models and weights, before a run.
import { Command } from "commander";
import { inspectDataCommand } from "./inspect-data.js";
import { inspectModelCommand } from "./inspect-model.js";
import { inspectWeightsCommand } from "./inspect-weights.js";

export function inspectCommand(): Command {
  return new Command("inspect")
    .addCommand(inspectDataCommand())
    .addCommand(inspectModelCommand())
    .addCommand(inspectWeightsCommand());
}
