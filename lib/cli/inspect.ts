// `videomae inspect`: data and models, before a run.
import { Command } from "commander";
import { inspectDataCommand } from "./inspect-data.js";
import { inspectModelCommand } from "./inspect-model.js";

export function inspectCommand(): Command {
  return new Command("inspect").addCommand(inspectDataCommand()).addCommand(inspectModelCommand());
}
