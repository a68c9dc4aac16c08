// The command lines of snippets: into words, through the parser of the real commands, or run by the built command line.

import { execFile } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import path from "node:path";
import type { Command } from "commander";
import { program } from "#lib/cli/program.js";
import { checkout } from "../../bench/checkout.js";

/** A program with its arguments and what its line sets in the environment. */
export interface CommandLine {
  readonly env: Readonly<Record<string, string>>;
  readonly words: readonly string[];
}

/** Appended to what a command is given, so that a run takes a second; later options count before earlier ones. */
const SMALL: Readonly<Record<string, string>> = {
  pretrain: "model=vit-tiny image=32 frames=8 steps=3 save-every=1 warmup-steps=1 views=1 stride=1 mask-ratio=0.75",
  finetune: "steps=1 warmup-steps=1 views=1 rand-augment=none",
  "post-pretrain": "steps=1 warmup-steps=1 views=1 rand-augment=none",
  distill: "model=vit-tiny image=32 frames=8 steps=1 warmup-steps=1 views=1 rand-augment=none",
  probe: "steps=1",
};

/** Options that make a run of a command small, and keep it away from the folders of others. */
function smallOptions(command: string, args: readonly string[]): string[] {
  if (!Object.hasOwn(SMALL, command)) return [];
  const settings = `${SMALL[command]} batch-size=2 accumulate=1 workers=0`.split(" ").flatMap((setting) => {
    const [name, value] = setting.split("=");
    return [`--${name}`, value];
  });
  return [...settings, "--no-tensorboard", ...(args.includes("--out") ? [] : ["--out", "runs/unnamed"])];
}

/**
 * The lines of a block, `&&` between two of them taken as a line's end, comments left out.
 * @throws Error for what only a shell understands
 */
export function commandLines(text: string): CommandLine[] {
  return text.split("\n").flatMap((line) =>
    line
      .replace(/(^|\s)#.*$/, "")
      .replace(/^\$ /, "")
      .split("&&")
      .map((part) => part.trim())
      .filter((part) => part !== "")
      .map(commandLine),
  );
}

function commandLine(text: string): CommandLine {
  if (/[|<>;`$\\]/.test(text)) throw new Error(`"${text}": only a shell understands this`);
  const words = (text.match(/"[^"]*"|'[^']*'|\S+/g) ?? []).map((word) => word.replace(/^(["'])(.*)\1$/, "$2"));
  const first = words.findIndex((word) => !/^[A-Z_]+=/.test(word));
  const env = Object.fromEntries(words.slice(0, first).map((word) => word.split("=", 2)));
  const rest = words.slice(first);
  return { env, words: rest[0] === "npx" ? rest.slice(1) : rest };
}

/** The command that words name, as `inspect model`; its arguments are not looked at. */
export async function findCommand(words: readonly string[]): Promise<Command> {
  let command = await program(words);
  for (const word of words) {
    const child: Command | undefined = command.commands.find((candidate) => candidate.name() === word);
    if (!child) break;
    command = child;
  }
  return command;
}

/**
 * Parses a line without doing what it says.
 * @throws CommanderError for a command, an option or a number of arguments that is not there
 */
export async function parseLine({ words }: CommandLine): Promise<void> {
  if (words[0] === "npm") return checkNpm(words.slice(1));
  if (words[0] !== "videomae") throw new Error(`"${words.join(" ")}": not a command of this package`);
  const root = await program(words.slice(1));
  disarm(root);
  await root.parseAsync(words.slice(1), { from: "user" });
}

function disarm(command: Command): void {
  for (const child of command.commands) disarm(child);
  if (command.commands.length === 0) command.action(() => {});
}

const manifest = JSON.parse(readFileSync(path.join(checkout, "package.json"), "utf8"));

/** What npm is asked for must be there: scripts, and peer dependencies in their versions. */
function checkNpm([verb, ...rest]: readonly string[]): void {
  if (verb === "ci") return;
  if (verb === "install") {
    for (const name of rest) {
      if (name === manifest.name) continue;
      const peer = Object.entries(manifest.peerDependencies).map((entry) => entry.join("@"));
      if (!peer.includes(name)) throw new Error(`npm install ${name}: the peer dependencies are ${peer.join(", ")}`);
    }
    return;
  }
  const script = verb === "run" ? rest[0] : verb;
  if (!Object.hasOwn(manifest.scripts, script)) throw new Error(`npm run ${script}: package.json has no such script`);
}

/** How a program ended. */
export interface Ended {
  readonly status: number | null;
  readonly output: string;
}

/** Runs a line in a folder, in a small size. What a command would write is removed before. */
export async function runLine(line: CommandLine, folder: string): Promise<Ended> {
  if (line.words[0] === "npm") {
    checkNpm(line.words.slice(1));
    return { status: 0, output: "" };
  }
  if (line.words[0] !== "videomae") throw new Error(`"${line.words.join(" ")}": not a command of this package`);
  const [, command, ...given] = line.words;
  const args = [command, ...given, ...smallOptions(command, given)];
  for (const written of outputs(args)) rmSync(path.join(folder, written), { recursive: true, force: true });
  return runNode([path.join(checkout, "dist/cli/main.js"), ...args], folder, line.env);
}

/** Paths that a command makes anew. */
function outputs(args: readonly string[]): string[] {
  const out = args.indexOf("--out");
  const positional = args[0] === "convert" || args[0] === "export" ? [args[2]] : [];
  return out < 0 ? positional : [...positional, args[out + 1]];
}

/** Runs node in a folder. */
export function runNode(args: readonly string[], folder: string, env: Readonly<Record<string, string>> = {}) {
  return new Promise<Ended>((resolve) => {
    const options = { cwd: folder, env: { ...process.env, ...env }, timeout: 60_000 };
    const child = execFile(process.execPath, args, options, (_error, stdout, stderr) =>
      resolve({ status: child.exitCode, output: `${stdout}${stderr}` }),
    );
  });
}
