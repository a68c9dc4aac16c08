// A copy of the package that has no native binary: every help, and the commands that compute nothing, work in it; those
// that compute say what is missing.
import { execFile } from "node:child_process";
import { copyFileSync, cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { openSafetensors } from "#lib/io/safetensors.js";
import { temporaryFolder } from "../temporary-folder.js";
import { writeClassifier } from "../weights/formula-model.js";

const root = path.resolve(import.meta.dirname, "../..");
const folder = temporaryFolder();
const bare = path.join(folder, "package");
const main = path.join(bare, "dist/cli/main.js");
mkdirSync(bare);
cpSync(path.join(root, "dist"), path.join(bare, "dist"), { recursive: true });
copyFileSync(path.join(root, "package.json"), path.join(bare, "package.json"));
symlinkSync(path.join(root, "node_modules"), path.join(bare, "node_modules"));

const run = promisify(execFile);
const videomae = (...args: string[]) => run(process.execPath, [main, ...args], { cwd: folder });

test("every command has its help", async () => {
  const names = [
    ...readFileSync(path.join(root, "lib/cli/program.ts"), "utf8").matchAll(/^ {2}\[\s*"([a-z-]+)",/gm),
  ].map(([, name]) => name);
  expect(names.length).toBeGreaterThan(18);
  const asked = [...names, "inspect data", "inspect model", "inspect weights"];
  // One process for all of them, each with a fresh main.
  const script = path.join(folder, "helps.mjs");
  writeFileSync(
    script,
    `for (const name of ${JSON.stringify(asked)}) {
       process.argv.splice(2, 9, ...name.split(" "), "--help");
       await import(${JSON.stringify(main)} + "?" + encodeURIComponent(name));
       if (process.exitCode) throw new Error(name);
     }`,
  );
  const { stdout } = await run(process.execPath, [script]);
  const shown = [...stdout.matchAll(/^Usage: videomae (\S+(?: (?:data|model|weights)\b)?)/gm)].map(([, name]) => name);
  expect(shown).toEqual(asked);
});

test("importing the package loads no binary, of its own or of a library", async () => {
  const { stdout } = await run(process.execPath, [
    ...["--input-type=module", "--eval"],
    `await import(${JSON.stringify(path.join(root, "dist/index.js"))});
     console.log(process.report.getReport().sharedObjects.filter((file) => file.endsWith(".node")).length);`,
  ]);
  expect(stdout).toBe("0\n");
});

test("weights are converted and looked into, recipes are printed", async () => {
  const weights = writeClassifier(path.join(folder, "a.safetensors"), {});
  await videomae("convert", weights, path.join(folder, "hf"), "--to", "hugging-face-classifier");
  using converted = openSafetensors(path.join(folder, "hf/model.safetensors"));
  expect(converted.names).toContain("classifier.weight");
  expect((await videomae("inspect", "weights", weights)).stdout).toContain("classifier");
  expect((await videomae("recipes")).stdout).toMatch(/^\S*vit/m);
});

test("what computes says what is missing", async () => {
  const failure = await videomae("inspect", "model", "small").catch((error) => error);
  expect(failure.code).toBe(1);
  expect(failure.stderr).toMatch(
    /^videomae: videomae: expected a native binary for \S+ that loads; got build\/Release: /,
  );
  const { stdout } = await videomae("doctor").catch((error) => error);
  expect(stdout).toMatch(/^PROBLEM native binary +none$/m);
});
