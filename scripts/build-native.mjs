#!/usr/bin/env node
// The one native build. CMakeLists.txt is configured by cmake-js where that is installed and by plain cmake where it is
// not (the package as a dependency), then built by cmake; the addon and its plug-ins are copied to build/Release.
//
// cmake-js only configures: its `compile` keeps the options of the first run and answers a compile error by starting
// over. CMake works in .cmake/, because `node-gyp clean` deletes build/. When nothing changed, a run takes about a
// second.
//
// Options: --debug  --sanitize  --tests  --emulator  --probes  --out DIR  -DNAME=VALUE  --help
// It also stands in for node-gyp under prebuildify, which calls it as `rebuild --target=... --release`.
import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.resolve(import.meta.dirname, "..");
const require = createRequire(import.meta.url);

const USAGE = `usage: node scripts/build-native.mjs [options]
  --debug          build type Debug in .cmake/Debug, copied to build/Debug
  --sanitize       address and undefined-behaviour sanitizers, in .cmake/Sanitize; nothing is copied
  --tests          also build the native tests, and the emulator
  --emulator       also build the device emu, which runs GPU kernels on the CPU, into build/Emulator
  --probes         also build the GPU programs probe and ceilings; needs nvcc
  --out DIR        copy the addon there
  -DNAME=VALUE     handed to CMake
  rebuild ...      node-gyp's command line, as prebuildify calls it`;

/** The build that a command line asks for. Throws on an unknown option. */
export function parseBuild(argv) {
  const build = {
    name: "Release",
    type: "Release",
    tests: false,
    emulator: false,
    probes: false,
    sanitize: false,
    out: undefined,
    definitions: [],
  };
  const asNodeGyp = argv[0] === "rebuild";
  for (let i = asNodeGyp ? 1 : 0; i < argv.length; i++) {
    const arg = argv[i];
    if (arg === "--debug") Object.assign(build, { name: "Debug", type: "Debug" });
    else if (arg === "--sanitize") Object.assign(build, { name: "Sanitize", type: "RelWithDebInfo", sanitize: true });
    else if (arg === "--tests") build.tests = true;
    else if (arg === "--emulator") build.emulator = true;
    else if (arg === "--probes") build.probes = true;
    else if (arg === "--out" && argv[i + 1]) build.out = argv[++i];
    else if (/^-D\w+=/.test(arg)) build.definitions.push(arg.slice(2));
    else if (!asNodeGyp) throw new Error(`build-native: unknown option ${arg}\n${USAGE}`);
  }
  const work = path.join(root, ".cmake", build.name);
  const out =
    build.sanitize && !build.out ? undefined : path.resolve(root, build.out ?? path.join("build", build.type));
  return { ...build, work, out };
}

/** Configures and builds; returns the folder in which CMake worked. */
export function buildNative(argv) {
  const build = parseBuild(argv);
  configure(build);
  // CMAKE_BUILD_PARALLEL_LEVEL, where it is set, is read by cmake itself.
  const parallel = process.env.CMAKE_BUILD_PARALLEL_LEVEL ? [] : ["--parallel", String(os.availableParallelism())];
  run("cmake", ["--build", build.work, ...parallel, "--target", ...targets(build)]);
  if (build.out) deliver(build);
  return build.work;
}

/** Where CMake left a program, in the folder that cmake-js or CMakeLists.txt chose; undefined where it was not built. */
export function builtProgram(work, name) {
  return [work, path.join(work, "Release")].map((folder) => path.join(folder, name)).find(existsSync);
}

/** CMake's targets; the addon is one of `all`. */
function targets({ tests, emulator, probes }) {
  return ["all", ...(tests ? ["tests"] : []), ...(emulator ? ["videomae_emu"] : []), ...(probes ? ["probes"] : [])];
}

function configure(build) {
  const definitions = [`VIDEOMAE_SANITIZE=${build.sanitize ? "ON" : "OFF"}`, ...build.definitions];
  const cmakeJs = find("cmake-js/bin/cmake-js");
  if (cmakeJs) {
    const options = ["-l", "warn", "-O", build.work, "-B", build.type];
    run(process.execPath, [cmakeJs, "configure", ...options, ...definitions.map((d) => `--CD${d}`)]);
    return;
  }
  const all = [`CMAKE_BUILD_TYPE=${build.type}`, ...definitions];
  run("cmake", ["-S", root, "-B", build.work, ...all.map((d) => `-D${d}`)]);
}

/** The emulator: a test device, not a part of the package, so it lies beside the folder that is packed. */
const EMULATOR = "libvideomae_emu.so";

/** Copies the addon and its plug-ins. */
function deliver({ work, type, out, tests, emulator }) {
  const built = new Map(); // name to file: cmake-js and CMakeLists.txt may each choose the folder
  for (const folder of [work, path.join(work, type)]) {
    if (!existsSync(folder)) continue;
    for (const name of readdirSync(folder)) {
      if (!/\.(node|so)$/.test(name)) continue;
      const file = path.join(folder, name);
      const other = built.get(name);
      if (!other || statSync(file).mtimeMs > statSync(other).mtimeMs) built.set(name, file);
    }
  }
  if (![...built.keys()].some((name) => name.endsWith(".node"))) {
    throw new Error(`build-native: the build left no .node file in ${work}`);
  }
  if (tests || emulator) install(built.get(EMULATOR), path.join(path.dirname(out), "Emulator", EMULATOR));
  built.delete(EMULATOR);
  mkdirSync(out, { recursive: true });
  for (const name of readdirSync(out)) {
    if (/\.(node|so)$/.test(name) && !built.has(name)) rmSync(path.join(out, name));
  }
  for (const [name, file] of built) install(file, path.join(out, name));
}

/** Copies a file that is newer, by rename: a process that has the old one mapped keeps it whole. */
function install(file, target) {
  if (existsSync(target) && statSync(target).mtimeMs >= statSync(file).mtimeMs) return;
  mkdirSync(path.dirname(target), { recursive: true });
  const temporary = `${target}.${process.pid}.tmp`;
  copyFileSync(file, temporary);
  renameSync(temporary, target);
}

function find(module) {
  try {
    return require.resolve(module);
  } catch {
    return undefined;
  }
}

function run(command, argv) {
  execFileSync(command, argv, { stdio: "inherit", cwd: root });
}

if (process.argv[1] && path.resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const argv = process.argv.slice(2);
  if (argv.includes("--help")) {
    console.log(USAGE);
  } else {
    try {
      buildNative(argv);
    } catch (error) {
      // A failed compiler has printed its own errors.
      console.error(
        error.code === "ENOENT" ? "build-native: cmake is not on PATH; install cmake 3.22 or newer" : error.message,
      );
      process.exit(1);
    }
  }
}
