#!/usr/bin/env node
// Runs the clang-format that npm installed over every C++ and CUDA source; with --check it changes nothing and fails
// where it would.
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const root = path.resolve(import.meta.dirname, "..");
const check = process.argv.includes("--check");
const sources = readdirSync(path.join(root, "native"), { recursive: true })
  .filter((name) => /\.(h|cpp|cu|cuh)$/.test(name))
  .map((name) => path.join("native", name))
  .sort();
if (sources.length === 0) {
  console.error("format-native: no C++ source in native/");
  process.exit(1);
}

const binary = createRequire(import.meta.url)("clang-format").getNativeBinary();
const mode = check ? ["--dry-run", "--Werror"] : ["-i"];
const result = spawnSync(binary, [...mode, ...sources], { cwd: root, stdio: "inherit" });
if (result.status === 0) {
  console.log(`${sources.length} native sources ${check ? "are formatted" : "formatted"}`);
} else {
  if (check) console.error("format-native: run `npm run format`");
  process.exit(1);
}
