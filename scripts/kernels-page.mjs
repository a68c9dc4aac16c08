#!/usr/bin/env node
// Renders bench/KERNELS.md: registers, shared memory, occupancy and instruction mix of every kernel of the plug-in, from
// what ptxas and the disassembler say of the compiled sources and from launches on the emulator. No GPU is needed, and no
// figure is typed by hand.
//
//   npm run bench:gpu-kernels   # needs nvcc, cuobjdump (or VIDEOMAE_CUOBJDUMP) with nvdisasm, and c++filt of binutils
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { buildNative } from "./build-native.mjs";
import { emulatedLaunches } from "./emulated-launches.mjs";
import { inParallel } from "./in-parallel.mjs";
import { instructionClasses, instructionMixes } from "./instruction-mix.mjs";
import { occupancy } from "./occupancy.mjs";
import { compile, disassemble, findDisassembler, nvccVersion, pluginSources, ptxasWords } from "./ptxas.mjs";

export const kernelsPage = path.join(import.meta.dirname, "..", "bench", "KERNELS.md");

const TARGETS = ["80", "90a"];

/** "void videomae::cuda::(anonymous namespace)::fill<float>(float*, long)" to "fill<float>", as the emulator names it. */
export function shortName(demangled) {
  const name = demangled.replace(/videomae::|cuda::|\(anonymous namespace\)::|^void /g, "");
  let depth = 0; // of template arguments: the parameters' parenthesis is the first outside of them
  for (const [at, letter] of [...name].entries()) {
    if (letter === "<") depth += 1;
    if (letter === ">") depth -= 1;
    if (letter === "(" && depth === 0) return name.slice(0, at);
  }
  return name;
}

/** Short names by mangled ones. */
function shortNames(mangled) {
  const demangled = execFileSync("c++filt", { input: mangled.join("\n"), encoding: "utf8" }).split("\n");
  return new Map(mangled.map((name, i) => [name, shortName(demangled[i])]));
}

/**
 * Launch bounds, the most threads that a block can have, by the kernel's mangled name; without those that set none.
 * @param elf  what `cuobjdump -elf` printed
 */
export function launchBounds(elf) {
  const bounds = new Map();
  for (const section of elf.split(/^\.nv\.info\./m).slice(1)) {
    const [, x, y, z] = /EIATTR_MAX_THREADS\s+Format:\s+\w+\s+Value:\s+(\w+) (\w+) (\w+)/.exec(section) ?? [];
    if (x) bounds.set(/^\S+/.exec(section)[0], Number(x) * Number(y) * Number(z));
  }
  return bounds;
}

/** Every kernel of a source as compiled for a target. */
async function compiledKernels(source, target, version, disassembler) {
  const { cubin, said } = await compile(source, target, version);
  const kernels = ptxasWords(said).filter(({ kernel }) => kernel);
  if (kernels.length === 0) return [];
  const printed = await disassemble(disassembler, ["-elf", "-sass"], cubin);
  const bounds = launchBounds(printed);
  const mixes = instructionMixes(printed);
  const names = shortNames(kernels.map(({ kernel }) => kernel));
  return kernels.map((words) => ({
    ...words,
    name: names.get(words.kernel),
    target,
    bounds: bounds.get(words.kernel),
    mix: mixes.get(words.kernel),
  }));
}

const count = (value) => value.toLocaleString("en-US");
const known = (value) => (value === undefined ? "-" : count(value));

/** A row of the page. Classes of which a kernel has no instruction stay empty. */
function row(kernel, launch) {
  const { name, target, registers, sharedBytes, spillStores, spillLoads, bounds, mix } = kernel;
  const resident = launch && occupancy(target, { registers, ...launch, sharedBytes: sharedBytes + launch.sharedBytes });
  const counts = instructionClasses.map((type) => mix[type]);
  return [
    `\`${name}\``,
    target,
    registers,
    count(spillStores + spillLoads),
    known(bounds),
    known(launch?.threads),
    count(sharedBytes),
    known(launch?.sharedBytes),
    known(resident?.blocks),
    known(resident?.warps),
    resident?.limits.join(", ") ?? "-",
    count(counts.reduce((sum, instructions) => sum + instructions)),
    ...counts.map((instructions) => (instructions > 0 ? count(instructions) : "")),
  ];
}

const header =
  "kernel, sm, registers, spilled, bounds, threads, static, dynamic, blocks, warps, limited by, instructions"
    .split(", ")
    .concat(instructionClasses);

/** A section of a source: its kernels with their launches by target. */
function section({ file, kernels }, launches) {
  const order = (a, b) => a.name.localeCompare(b.name, "en", { numeric: true }) || a.target.localeCompare(b.target);
  const rows = kernels.sort(order).map((kernel) => row(kernel, launches[kernel.target].get(kernel.name)));
  const lines = [header, header.map((name) => (["kernel", "limited by"].includes(name) ? "---" : "--:")), ...rows];
  return `## ${file.replace("native/cuda/", "")}\n\n${lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n")}\n`;
}

/** The whole page. */
export function renderKernelsPage({ sources, launches, version }) {
  const kernels = sources.flatMap((source) => source.kernels);
  const unseen = kernels.filter(({ name, target }) => !launches[target].has(name)).length;
  return `# Kernels on the GPU

Written by \`npm run bench:gpu-kernels\` from the sources, without a GPU; do not edit it by hand. It says what nvcc ${version} makes
of every kernel of the plug-in, for capability 8.0 (\`80\`) and 9.0 (\`90a\`): ${count(kernels.length)} kernels. What was expected of them, and why, is
in [NOTES.md](NOTES.md); how they are written in [docs/kernels.md](../docs/kernels.md).

- **registers** of a thread, where it begins (\`setmaxnreg\` moves them between warps later); **spilled**: bytes stored and
  loaded because they were too few, which \`npm run check:ptxas\` forbids. **bounds**: the most threads of a block that the
  kernel was compiled for, where it says.
- **threads** of a block and bytes of **dynamic** shared memory are those of its largest launch in the runs of
  [emulated-launches.mjs](../scripts/emulated-launches.mjs), on an emulated GPU with the shared memory of the capability; "-" is what was
  not launched there (${count(unseen)} kernels). Attention is launched with few tokens (160 of width 64 and 80, 208 of 88) and many (944 of
  64, 400 of 80, 88 and 128); other numbers of tokens may take less shared memory, or more.
- **blocks** and **warps** resident in a multiprocessor, of 64 warps that it can hold, with that launch, and what **limits**
  them: registers, shared memory, threads, or the 32 blocks that it can hold.
- **instructions** of the code as it stands, a loop's body counted once, and how many of them are of the tensor core
  (\`HMMA\`, \`HGMMA\`), arithmetic in f32 and f64, \`MUFU\` (exponentials, reciprocals, roots), conversions, exchanges between
  lanes, accesses of shared and of global memory (the copy engine's and \`LDGSTS\` too), barriers and waits, integers (addresses,
  moves, parameters), and jumps. [instruction-mix.mjs](../scripts/instruction-mix.mjs) says which is which.

${sources.map((source) => section(source, launches)).join("\n")}`;
}

async function main() {
  const version = nvccVersion();
  if (version === undefined) throw new Error("nvcc is not on PATH; install the CUDA toolkit 13");
  const disassembler = findDisassembler();
  if (disassembler === undefined)
    throw new Error("cuobjdump is not on PATH; install the CUDA toolkit 13, or name one by VIDEOMAE_CUOBJDUMP");
  const sources = pluginSources().map((source) => ({ ...source, kernels: [] }));
  await inParallel(sources, async (source) => {
    for (const target of source.targets)
      source.kernels.push(...(await compiledKernels(source, target, version, disassembler)));
  });
  const work = buildNative(["--tests"]);
  const launches = {};
  await inParallel(TARGETS, async (target) => {
    launches[target] = await emulatedLaunches(work, target);
  });
  const page = renderKernelsPage({
    sources: sources.filter(({ kernels }) => kernels.length > 0),
    launches,
    version: /release ([\d.]+)/.exec(version)[1],
  });
  writeFileSync(kernelsPage, page);
}

if (import.meta.filename === process.argv[1]) {
  try {
    await main();
  } catch (error) {
    console.error(`kernels-page: ${error.message}`);
    process.exitCode = 1;
  }
}
