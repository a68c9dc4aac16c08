#!/usr/bin/env node
// The command line: one file a command. A mistake of the user's ends with one line that says what to do, status 1.
import { readFileSync } from "node:fs";
import { Command } from "commander";
import { VideomaeError } from "../errors.js";
import { evaluateCommand } from "./evaluate.js";
import { featuresCommand } from "./features.js";
import { inspectCommand } from "./inspect.js";
import { predictCommand } from "./predict.js";
import { pretrainCommand } from "./pretrain.js";
import { reconstructCommand } from "./reconstruct.js";

const manifest = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));

const program = new Command("videomae")
  .description("VideoMAE V2: masked video pre-training")
  .version(manifest.version)
  .showSuggestionAfterError()
  .addCommand(pretrainCommand())
  .addCommand(reconstructCommand())
  .addCommand(evaluateCommand())
  .addCommand(predictCommand())
  .addCommand(featuresCommand())
  .addCommand(inspectCommand());

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof VideomaeError)) throw error;
  process.stderr.write(`videomae: ${error.message}\n`);
  process.exitCode = 1;
}
