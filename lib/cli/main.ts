#!/usr/bin/env node
// The command line as a program: a mistake of the user's ends with one line that says what to do, status 1.
import { CommanderError } from "commander";
import { VideomaeError } from "../errors.js";
import { program } from "./program.js";

/** A mistake in one line; of a published option, what it is called here. */
async function mistakeText(error: CommanderError): Promise<string> {
  const [first, ...rest] = error.message.replace(/^error: /, "").split("\n");
  const flag = error.code === "commander.unknownOption" ? /'(--[^']+)'/.exec(first)?.[1] : undefined;
  const hint = flag && (await adviceOf(process.argv[2]))(flag, await spelling());
  return [first, hint ? `Hint: ${hint}` : rest.join(" ")].filter(Boolean).join(". ");
}

/** What is known of published options under the names that a command does not have. */
async function adviceOf(
  command: string,
): Promise<(flag: string, spell: (name: string) => string) => string | undefined> {
  if (command !== "finetune" && command !== "post-pretrain") {
    return (await import("../config/official-options.js")).adviceOnKey;
  }
  return (await import("../config/official-finetune-options.js")).adviceOnClassifierKey;
}

async function spelling(): Promise<(name: string) => string> {
  const { flagOf } = await import("./values.js");
  return flagOf;
}

// A reader that has seen enough (`| head`) is no mistake.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(0);
});

try {
  await (await program(process.argv.slice(2))).parseAsync();
} catch (error) {
  if (error instanceof CommanderError && error.exitCode === 0) process.exitCode = 0;
  else if (error instanceof CommanderError && error.code === "commander.help") process.exitCode = 1;
  else if (error instanceof CommanderError || error instanceof VideomaeError) {
    const message = error instanceof CommanderError ? await mistakeText(error) : error.message;
    process.stderr.write(`videomae: ${message}\n`);
    process.exitCode = 1;
  } else throw error;
}
