#!/usr/bin/env node
// The house rules that a compiler does not know: which way imports and includes point, names that say nothing, and
// files that have outgrown one idea. Prints each offence as `path:line reason` and fails when there is one.
//
// TypeScript, each room importing only from the levels below its own:
//   cli -> watch -> progressive -> report -> train -> eval, export, doctor, survey, bench -> weights -> models, data, optim, io, dist, log -> nn, masking -> ops -> autograd -> tensor -> addon
// Native: addon -> core, ops; cpu, cuda -> ops -> core; napi.h only in addon/, CUDA headers only in cuda/, and there
// only in .cu and .cuh: a .h of cuda/ is plain C++, which tests (and an emulator) may include.
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const LEVELS = [
  ["cli"],
  ["watch"],
  ["progressive"],
  ["report"],
  ["train"],
  ["eval", "export", "doctor", "survey", "bench"],
  ["weights"],
  ["models", "data", "optim", "io", "dist", "log"],
  ["nn", "masking"],
  ["ops"],
  ["autograd"],
  ["tensor"],
  ["addon"],
];
/** What anyone may import; they import only each other. */
const LEAVES = ["config", "machine", "errors.ts", "lazy.ts", "library.ts", "manifest.ts", "random.ts", "zod.ts"];

/** What a native room may include beside itself. Tests and benchmarks may include all but the addon. */
const NATIVE_ROOMS = {
  core: [],
  ops: ["core"],
  cpu: ["ops", "core"],
  cuda: ["ops", "core"],
  addon: ["core", "ops"],
  test: ["core", "ops", "cpu", "cuda"],
  bench: ["core", "ops", "cpu", "cuda"],
};
const NAPI_HEADER = /^(napi(-inl)?|node_api(_types)?|js_native_api(_types)?)\.h$/;
const CUDA_HEADER =
  /^(cuda\w*|cublas\w*|cooperative_groups|mma|nccl|library_types|vector_types|device_types)\.(h|hpp)$/;
const CUDA_FOLDER = /^(cuda|cooperative_groups|cub|thrust)\//;

const EMPTY_NAMES = ["utils", "util", "helpers", "common", "misc"];
const MAX_LINES = 450;

/**
 * Offences of one TypeScript file of lib/ against the order of the rooms.
 * @param file  its path, e.g. `lib/ops/gelu.ts`
 */
export function checkImports(file, text) {
  const from = roomOf(file);
  if (from === "index.ts") return [];
  if (!isKnown(from)) return [{ file, line: 1, reason: `lib/${from} has no place in the order of the rooms` }];
  const offences = [];
  for (const { fileName, pos } of ts.preProcessFile(text, true, true).importedFiles) {
    const to = targetRoom(file, fileName);
    if (to === undefined || mayImport(from, to)) continue;
    const reason = `${from} must not import ${to} ("${fileName}"): ${explain(from, to)}`;
    offences.push({ file, line: lineAt(text, pos), reason });
  }
  return offences;
}

/** The room of a path below lib/: its folder, or the file's own name when it lies directly in lib/. */
function roomOf(file) {
  return file.split("/")[1];
}

/** The room that an import leads to; undefined for a package. */
function targetRoom(file, specifier) {
  if (specifier === "videomae") return "index.ts";
  if (specifier.startsWith("#lib/")) return roomOf(specifier.slice(1).replace(/\.js$/, ".ts"));
  if (!specifier.startsWith(".")) return undefined;
  const target = path.posix.normalize(path.posix.join(path.posix.dirname(file), specifier)).replace(/\.js$/, ".ts");
  // package.json is the one file above lib/ that code may read.
  if (target === "package.json") return undefined;
  return target.startsWith("lib/") ? roomOf(target) : target;
}

function isKnown(room) {
  return LEAVES.includes(room) || level(room) >= 0;
}

function level(room) {
  return LEVELS.findIndex((rooms) => rooms.includes(room));
}

function mayImport(from, to) {
  if (from === to || LEAVES.includes(to)) return true;
  if (LEAVES.includes(from)) return false;
  if (from === "cli" && to === "index.ts") return true;
  return level(to) > level(from);
}

function explain(from, to) {
  if (LEAVES.includes(from)) return `${from} is a leaf`;
  if (!isKnown(to)) return `${to} has no place in the order of the rooms`;
  return level(from) === level(to) ? "they stand on the same level" : `${to} stands above ${from}`;
}

/**
 * Offences of one native source against the order of the native rooms.
 * @param file  its path, e.g. `native/cpu/gemm.cpp`
 * @param known  the paths of all native sources, to tell ours from a library's
 */
export function checkIncludes(file, text, known) {
  const from = file.split("/")[1];
  const allowed = NATIVE_ROOMS[from];
  if (!allowed) return [{ file, line: 1, reason: `native/${from} has no place in the order of the native rooms` }];
  const offences = [];
  text.split("\n").forEach((lineText, index) => {
    const header = /^\s*#\s*include\s*[<"]([^>"]+)[>"]/.exec(lineText)?.[1];
    if (!header) return;
    const offend = (reason) => offences.push({ file, line: index + 1, reason });
    const to = includedRoom(file, header, known);
    if (to !== undefined) {
      if (to !== from && !allowed.includes(to)) offend(`${from} must not include ${to} ("${header}")`);
      else if (header.endsWith(".cuh") && !mayUseCuda(file)) offend(`"${header}" belongs to .cu and .cuh files only`);
    } else if (NAPI_HEADER.test(header)) {
      if (from !== "addon") offend(`<${header}> belongs to native/addon only`);
    } else if (CUDA_HEADER.test(header) || CUDA_FOLDER.test(header)) {
      if (from !== "cuda") offend(`<${header}> belongs to native/cuda only`);
      else if (!mayUseCuda(file)) offend(`<${header}> belongs to .cu and .cuh files only`);
    }
  });
  return offences;
}

/** Whether a file is compiled by nvcc. */
function mayUseCuda(file) {
  return /\.(cu|cuh)$/.test(file);
}

/** The native room of an included header, found beside the file or from native/; undefined for a library's. */
function includedRoom(file, header, known) {
  for (const folder of [path.posix.dirname(file), "native"]) {
    const target = path.posix.normalize(path.posix.join(folder, header));
    if (known.has(target)) return target.split("/")[1];
  }
  return undefined;
}

/** Offences of a path's own words: a folder or file whose name says nothing. */
export function checkName(file) {
  const empty = file.split("/").find((part) => EMPTY_NAMES.includes(part.split(".")[0].toLowerCase()));
  return empty ? [{ file, line: 1, reason: `the name "${empty}" says nothing; name the idea` }] : [];
}

/** One offence when the text is longer than any one idea. */
export function checkLength(file, text) {
  const lines = text.split("\n").length - (text.endsWith("\n") ? 1 : 0);
  if (lines <= MAX_LINES) return [];
  return [{ file, line: MAX_LINES + 1, reason: `${lines} lines, at most ${MAX_LINES}; split it by ideas` }];
}

function lineAt(text, position) {
  return text.slice(0, position).split("\n").length;
}

/** Offences of a whole checkout. */
export function checkHouse(root) {
  const list = (folder) =>
    readdirSync(path.join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => path.relative(root, path.join(entry.parentPath, entry.name)).split(path.sep).join("/"))
      .sort();
  const read = (file) => readFileSync(path.join(root, file), "utf8");
  const lib = list("lib").filter((file) => file.endsWith(".ts"));
  const native = list("native").filter((file) => /\.(h|hpp|cpp|cc|cu|cuh|def|inc)$/.test(file));
  const known = new Set(native);
  return [
    ...lib.flatMap((file) => [...checkImports(file, read(file)), ...checkLength(file, read(file))]),
    ...native.flatMap((file) => [...checkIncludes(file, read(file), known), ...checkLength(file, read(file))]),
    ...["lib", "native", "test", "bench"].flatMap(list).flatMap(checkName),
  ];
}

if (process.argv[1] && path.resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const offences = checkHouse(path.resolve(import.meta.dirname, ".."));
  for (const { file, line, reason } of offences) console.error(`${file}:${line} ${reason}`);
  console.log(offences.length === 0 ? "all arrows point down" : `${offences.length} offences`);
  process.exitCode = offences.length === 0 ? 0 : 1;
}
