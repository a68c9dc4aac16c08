#!/usr/bin/env node
// The binaries of the package, in prebuilds/<platform>-<architecture>: the addon with the kernels of every instruction
// set, and the plug-in for NVIDIA GPUs, both stripped. prebuildify lays them out around the one native build, which does
// nothing again that was built before. Fails when they would ask more of a system than docs/install.md says.
//
// Options: --cpu  without the plug-in; such a package is for tests alone
import { execFileSync } from "node:child_process";
import { copyFileSync, readdirSync, rmSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { GLIBC_FLOOR, GLIBCXX_FLOOR } from "../dist/machine/libc.js";

const root = path.resolve(import.meta.dirname, "..");
const ADDON = "videomae.node";
const PLUGIN = "libvideomae_cuda.so";

/** The newest version of each kind of symbol that may be called. CXXABI goes with GLIBCXX: both are GCC 11's. */
const FLOORS = { GLIBC: GLIBC_FLOOR, GLIBCXX: GLIBCXX_FLOOR, CXXABI: "1.3.13", GCC: "12.0" };

/** What every system with Node has. */
const LIBRARIES = /^(libc|libm|libstdc\+\+|libgcc_s|libpthread|libdl|librt|ld-linux-x86-64)\.so\.\d+$/;

function main(argv) {
  const unknown = argv.find((arg) => arg !== "--cpu");
  if (unknown) throw new Error(`unknown option ${unknown}`);
  const folder = path.join(root, "prebuilds", `${process.platform}-${process.arch}`);
  rmSync(path.join(root, "prebuilds"), { recursive: true, force: true });
  prebuildify();
  if (argv.includes("--cpu")) rmSync(path.join(folder, PLUGIN), { force: true });
  const expected = argv.includes("--cpu") ? [ADDON] : [PLUGIN, ADDON];
  const names = readdirSync(folder).sort();
  if (names.join() !== expected.join()) {
    const hint = names.includes(PLUGIN) ? "" : ": put nvcc of CUDA 13 on PATH, or give --cpu";
    throw new Error(`${folder} should hold ${expected.join(", ")} and holds ${names.join(", ")}${hint}`);
  }
  for (const name of names) report(path.join(folder, name));
}

/** prebuildify moves the addon out of build/Release; it is put back for those who work in this checkout. */
function prebuildify() {
  const command = createRequire(import.meta.url).resolve("prebuildify/bin.js");
  const nodeGyp = path.join(root, "scripts", "build-native.mjs");
  const options = ["--napi", "--strip", "--name", "videomae", "--target", "20.19.0", "--node-gyp", nodeGyp];
  execFileSync(process.execPath, [command, ...options], { cwd: root, stdio: ["ignore", "inherit", "inherit"] });
  const prebuilt = path.join(root, "prebuilds", `${process.platform}-${process.arch}`, ADDON);
  copyFileSync(prebuilt, path.join(root, "build", "Release", ADDON));
}

function report(file) {
  const needs = neededVersions(execFileSync("objdump", ["-T", file], { encoding: "utf8", maxBuffer: 1 << 26 }));
  for (const [kind, version] of Object.entries(needs)) {
    if (FLOORS[kind] === undefined || compareVersions(version, FLOORS[kind]) > 0) {
      throw new Error(`${file} needs ${kind}_${version}; the package promises ${FLOORS[kind] ?? "none of it"}`);
    }
  }
  const headers = execFileSync("objdump", ["-p", file], { encoding: "utf8" });
  const libraries = [...headers.matchAll(/^\s*NEEDED\s+(\S+)/gm)].map(([, name]) => name);
  const foreign = libraries.find((name) => !LIBRARIES.test(name));
  if (foreign) throw new Error(`${file} needs the library ${foreign}, which systems need not have`);
  const shown = Object.entries(needs).map(([kind, version]) => `${kind} ${version}`);
  console.log(`${path.relative(root, file)}: ${(statSync(file).size / 1e6).toFixed(1)} MB, needs ${shown.join(", ")}`);
}

/** The newest version of each kind among the undefined symbols that `objdump -T` lists. */
export function neededVersions(listing) {
  const newest = {};
  for (const [, kind, version] of listing.matchAll(/\*UND\*.*\(?\b([A-Z]+)_(\d[\d.]*)\)?/g)) {
    if (newest[kind] === undefined || compareVersions(version, newest[kind]) > 0) newest[kind] = version;
  }
  return newest;
}

function compareVersions(a, b) {
  const [left, right] = [a, b].map((text) => text.split(".").map(Number));
  const i = left.findIndex((part, place) => part !== (right[place] ?? 0));
  return i < 0 ? left.length - right.length : left[i] - (right[i] ?? 0);
}

if (process.argv[1] && path.resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  try {
    main(process.argv.slice(2));
  } catch (error) {
    console.error(`build-prebuilds: ${error.message}`);
    process.exit(1);
  }
}
