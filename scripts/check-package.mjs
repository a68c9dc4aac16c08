#!/usr/bin/env node
// The package as a user meets it: packed with its binaries, looked over by publint and are-the-types-wrong, installed
// into an empty project where PATH holds node and npm and nothing else, and used there: from TypeScript through tsx and
// tsc, by import and require, in worker threads, and on the command line.
import { execFileSync, spawnSync } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import sharp from "sharp";
import { packageTarball } from "./package.mjs";

const root = path.resolve(import.meta.dirname, "..");
const folder = realpathSync(mkdtempSync(path.join(tmpdir(), "videomae-package-")));
const project = path.join(folder, "project");
const bin = path.join(folder, "bin");
/** Past this the plug-in belongs in a package of its own. */
const LIMIT = 20e6;

async function main() {
  const tarball = await pack();
  lint(tarball);
  install(tarball);
  await use();
}

async function pack() {
  const cpu = spawnSync("nvcc", ["--version"]).status !== 0;
  if (cpu) console.log("nvcc is not on PATH: the package is checked without the plug-in");
  run(process.execPath, [path.join(root, "scripts/build-prebuilds.mjs"), ...(cpu ? ["--cpu"] : [])], root);
  const { tarball, size, names } = await packageTarball({ cpu });
  const stray = names.find((name) =>
    /^build\/|libvideomae_emu|\.map$|\.tsbuildinfo$|^test\/|^native\/test\//.test(name),
  );
  if (stray) throw new Error(`${stray} is in the package`);
  if (size > LIMIT) throw new Error(`the package has ${size} bytes, at most ${LIMIT}`);
  console.log(`${path.basename(tarball)}: ${(size / 1e6).toFixed(1)} MB, ${names.length} files`);
  return tarball;
}

function lint(tarball) {
  const tool = (name) => path.join(root, "node_modules/.bin", name);
  run(tool("publint"), ["run", "--strict", tarball], root);
  // ES modules alone: every Node that the package runs on can require them, which is tried below.
  run(tool("attw"), ["--ignore-rules", "cjs-resolves-to-esm", "--format", "ascii", "--no-emoji", tarball], root);
}

/** An empty project, and a PATH that holds node and npm: no compiler, no cmake, no python. */
function install(tarball) {
  mkdirSync(bin);
  symlinkSync(process.execPath, path.join(bin, "node"));
  symlinkSync(execFileSync("which", ["npm"], { encoding: "utf8" }).trim(), path.join(bin, "npm"));
  cpSync(path.join(root, "test/package"), project, { recursive: true });
  writeFileSync(path.join(project, "package.json"), JSON.stringify({ name: "empty", private: true, type: "module" }));
  const { devDependencies } = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8"));
  const tools = ["tsx", "typescript", "@types/node"].map((name) => `${name}@${devDependencies[name]}`);
  // Neither the package nor what it depends on has a script to run at its installation.
  const options = ["--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error"];
  isolated("npm", ["install", ...options, tarball, ...tools]);
}

async function use() {
  const local = (name) => path.join(project, "node_modules/.bin", name);
  isolated(local("tsx"), ["train.ts"]);
  writeFileSync(path.join(project, "tsconfig.json"), JSON.stringify(strict("node16", "node16", "declarations")));
  isolated(local("tsc"), []);
  isolated("node", ["compiled/train.js"]);
  writeFileSync(path.join(project, "tsconfig.json"), JSON.stringify(strict("esnext", "bundler", "optional")));
  isolated(local("tsc"), ["--noEmit"]);
  isolated("node", ["formats.cjs"]);
  isolated("node", ["worker.mjs"]);

  await drawClips(path.join(project, "clips"), 2);
  isolated("node", ["run.mjs"]);
  isolated(local("videomae"), ["inspect", "model", "small"]);
  const small = ["--model", "vit-tiny", "--stride", "1", "--batch-size", "2", "--steps", "2", "--workers", "1"];
  isolated(local("videomae"), ["pretrain", "clips/list.txt", ...small, "--out", "run"]);
  isolated(local("videomae"), ["report", "run"]);
}

/**
 * As strict as a user's project gets.
 * @param more  with the declarations of all packages, or with exact optional properties, under which Node's own
 *   declarations contradict each other
 */
function strict(module, moduleResolution, more) {
  const all = { strict: true, noUncheckedIndexedAccess: true, noImplicitOverride: true };
  const exact = { skipLibCheck: more !== "declarations", exactOptionalPropertyTypes: more === "optional" };
  const output = { target: "es2022", lib: ["es2022", "esnext.disposable"], types: ["node"], outDir: "compiled" };
  return { compilerOptions: { ...all, ...exact, ...output, module, moduleResolution }, files: ["train.ts"] };
}

/** Clips as numbered pictures, which need no video decoder. */
async function drawClips(target, count) {
  for (let clip = 0; clip < count; clip++) {
    mkdirSync(path.join(target, String(clip)), { recursive: true });
    for (let frame = 1; frame <= 8; frame++) {
      const background = { r: 30 * frame, g: 100 * clip, b: 90 };
      const picture = sharp({ create: { width: 48, height: 48, channels: 3, background } });
      await picture.jpeg().toFile(path.join(target, String(clip), `img_0000${frame}.jpg`));
    }
  }
  const lines = Array.from({ length: count }, (_, clip) => `${clip} 1 8 0\n`);
  writeFileSync(path.join(target, "list.txt"), lines.join(""));
}

function isolated(command, argv) {
  run(command, argv, project, { ...process.env, PATH: bin, NODE_PATH: "", NODE_OPTIONS: "" });
}

function run(command, argv, cwd, env = process.env) {
  const { status, error } = spawnSync(command, argv, { cwd, env, stdio: ["ignore", "inherit", "inherit"] });
  if (error) throw error;
  if (status !== 0) throw new Error(`${path.basename(command)} ${argv.join(" ")}: exit status ${status}`);
}

try {
  await main();
} catch (error) {
  console.error(`check-package: ${error.message}`);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
