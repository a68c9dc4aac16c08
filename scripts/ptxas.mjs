// The CUDA sources as compiled code and ptxas's words, without a GPU, and the disassembler that reads the code.
//
// Compiled code and words are kept in .cmake/ptxas, by a hash of the source and of all that it includes, so that a second
// run takes a moment. VIDEOMAE_CUOBJDUMP names a disassembler that is not on PATH.
import { execFile, execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";

const root = path.resolve(import.meta.dirname, "..");
const run = promisify(execFile);
const MAX_OUTPUT = 2 ** 28;

/** Where compiled code and words are kept. */
export const compiledFolder = path.join(root, ".cmake", "ptxas");

/** The sources of the plug-in's kernels, and the capabilities that each is compiled for. */
export function pluginSources() {
  const kernels = (folder, targets) =>
    readdirSync(path.join(root, folder))
      .filter((name) => name.endsWith(".cu"))
      .map((name) => ({ stem: name.slice(0, -".cu".length), file: `${folder}/${name}`, targets }));
  return [...kernels("native/cuda", ["80", "90a"]), ...kernels("native/cuda/hopper", ["90a"])];
}

/** Likewise with those of the probes (probes.def) and of the ceilings (ceilings.def). */
export function cudaSources() {
  const rows = (list, pattern) => [...readFileSync(path.join(root, list), "utf8").matchAll(pattern)];
  const of = (folder, prefix, [, name, capability]) => ({
    stem: prefix + name,
    file: `native/cuda/${folder}/${prefix}${name}.cu`,
    targets: capability === "90" ? ["90a"] : ["80", "90a"],
  });
  return [
    ...pluginSources(),
    ...rows("native/cuda/probe/probes.def", /^PROBE\((\w+), (\d+)\)$/gm).map((row) => of("probe", "probe_", row)),
    ...rows("native/cuda/bench/ceilings.def", /^SOURCE\((\w+), (\d+)\)$/gm).map((row) => of("bench", "", row)),
  ];
}

/** nvcc's version; undefined without nvcc. */
export function nvccVersion() {
  try {
    return execFileSync("nvcc", ["--version"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  } catch {
    return undefined;
  }
}

/** A source and every file of ours that it includes, one way or another. */
function withIncludes(file, known = new Set()) {
  if (known.has(file) || !existsSync(path.join(root, file))) return known;
  known.add(file);
  for (const [, header] of readFileSync(path.join(root, file), "utf8").matchAll(/^\s*#\s*include\s*"([^"]+)"/gm)) {
    withIncludes(`native/${header}`, known);
    withIncludes(path.posix.join(path.posix.dirname(file), header), known);
  }
  return known;
}

/** Names what a source is compiled to: another one for every change of what it depends on. */
function compiledName({ stem, file }, version, target) {
  const hash = createHash("sha256").update(version);
  for (const name of [...withIncludes(file)].sort()) hash.update(name).update(readFileSync(path.join(root, name)));
  return `${stem}.${hash.digest("hex").slice(0, 16)}.sm_${target}.cubin`;
}

/** Compiles one source for one target unless that was done before; what ptxas said. */
export async function compile(source, target, version) {
  mkdirSync(compiledFolder, { recursive: true });
  const cubin = path.join(compiledFolder, compiledName(source, version, target));
  const words = `${cubin}.txt`;
  if (!existsSync(words)) {
    const gencode = `-gencode=arch=compute_${target},code=sm_${target}`;
    const options = ["-std=c++17", "-O3", "-Inative", gencode, "-Xptxas", "-v", "-cubin", "-o", cubin];
    const { stdout, stderr } = await run("nvcc", [...options, source.file], { cwd: root, maxBuffer: MAX_OUTPUT });
    writeFileSync(`${words}.tmp`, stdout + stderr);
    renameSync(`${words}.tmp`, words); // written last: a build cut off is done again
  }
  return { cubin, said: readFileSync(words, "utf8") };
}

/**
 * What `ptxas -v` said of each kernel, by its mangled name; first, without a name, what came before all kernels.
 * `remarks` are the lines that say what it set aside: C7508 setmaxnreg, C7510 and its like asynchronous wgmma. They come
 * as warnings, and as infos.
 * @param text  standard error of nvcc
 */
export function ptxasWords(text) {
  return text.split(/^(?=.*Compiling entry function)/m).map((words) => {
    const bytes = (pattern) => [...words.matchAll(pattern)].reduce((sum, [, count]) => sum + Number(count), 0);
    return {
      kernel: /Compiling entry function '?([\w$]+)/.exec(words)?.[1],
      registers: Number(/Used (\d+) registers/.exec(words)?.[1]),
      sharedBytes: bytes(/(\d+) bytes smem/g),
      stackBytes: bytes(/(\d+) bytes stack frame/g),
      spillStores: bytes(/(\d+) bytes spill stores/g),
      spillLoads: bytes(/(\d+) bytes spill loads/g),
      remarks: words.match(/^.*(?:warning|\(C75\d\d\)|setmaxnreg ignored|serializ).*$/gim) ?? [],
    };
  });
}

/** A disassembler: the one named, or that on PATH; undefined without. */
export function findDisassembler() {
  const program = process.env.VIDEOMAE_CUOBJDUMP || "cuobjdump";
  try {
    execFileSync(program, ["--version"], { stdio: "ignore" });
    return program;
  } catch {
    return undefined;
  }
}

/**
 * What the disassembler prints of compiled code.
 * @param parts  its options: -sass for instructions, -elf for what the loader is told of each kernel
 */
export async function disassemble(disassembler, parts, cubin) {
  return (await run(disassembler, [...parts, cubin], { maxBuffer: MAX_OUTPUT })).stdout;
}
