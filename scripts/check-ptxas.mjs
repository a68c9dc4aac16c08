#!/usr/bin/env node
// What ptxas makes of the CUDA sources, without a GPU: no kernel may spill registers or keep a stack frame, and ptxas
// may not set aside what a source asks for (setmaxnreg, asynchronous wgmma). Where a disassembler is found, each probe
// must also hold the instructions that it is about; else one line says that they were not checked.
//
// Sources are the plug-in's kernels, and those of probes.def and ceilings.def with their targets. Compiled code and
// ptxas's words are kept in .cmake/ptxas, by a hash of the source and of all that it includes, so that a second run takes
// a moment.
// VIDEOMAE_CUOBJDUMP names a disassembler that is not on PATH. Exit status: 0, 1 with complaints, 2 without nvcc.
import { execFile, execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const root = path.resolve(import.meta.dirname, "..");
const run = promisify(execFile);
const MAX_OUTPUT = 2 ** 28;

/** What the machine code of a source for Hopper has to hold. */
const INSTRUCTIONS = {
  probe_mma_sync: ["HMMA.16816.F32.BF16"],
  probe_ldmatrix: ["LDSM.16.M88.2", "LDSM.16.M88.4", "LDSM.16.MT88.2", "LDSM.16.MT88.4"],
  probe_cp_async: ["LDGSTS.E.ZFILL", "LDGSTS.E.64.ZFILL", "LDGSTS.E.BYPASS.128", "LDGDEPBAR", "DEPBAR.LE"],
  probe_named_barrier: ["BAR.SYNC", "BAR.ARV"],
  probe_shuffle: ["SHFL.IDX", "SHFL.BFLY", "SHFL.DOWN"],
  probe_stmatrix: ["STSM.16.M88.4", "STSM.16.MT88.4"],
  probe_mbarrier: ["SYNCS.EXCH.64", "SYNCS.ARRIVE", "SYNCS.PHASECHK", "SYNCS.CCTL.IV", "UBLKCP.S.G"],
  probe_wgmma_fragments: ["HGMMA.64x8x16.F32.BF16", "HGMMA.64x64x16.F32.BF16", "FENCE.VIEW.ASYNC"],
  probe_wgmma_operands: ["HGMMA.64x8x16.F32.BF16", "HGMMA.64x128x16.F32.BF16", "FENCE.VIEW.ASYNC"],
  probe_wgmma_products: [8, 64, 80, 88, 96, 128, 160, 176, 192, 208, 256].map((n) => `HGMMA.64x${n}x16.F32.BF16`),
  probe_tma_load: ["UTMALDG.2D", "UTMALDG.3D", "SYNCS.PHASECHK"],
  probe_tma_store: ["UTMASTG.2D", "UTMASTG.3D", "UTMACMDFLUSH", "FENCE.VIEW.ASYNC"],
  probe_register_budget: ["USETMAXREG.TRY_ALLOC", "USETMAXREG.DEALLOC"],
  probe_bulk_reduce: ["UBLKRED.G.S.ADD.F32", "UBLKRED.G.S.ADD.BF16", "UTMACMDFLUSH"],
  probe_cluster: ["UCGABAR_ARV", "UCGABAR_WAIT"],
  probe_dependent_launch: ["ACQBULK", "PREEXIT"],
  gemm: [
    "HMMA.16816.F32.BF16",
    "LDSM.16.M88.4",
    "LDSM.16.MT88.4",
    "LDGSTS.E.BYPASS.128.ZFILL",
    "LDGSTS.E.ZFILL",
    "FFMA",
  ],
  attention_backward_wgmma: [
    ...[64, 80, 88].map((n) => `HGMMA.64x${n}x16.F32.BF16`),
    ...["UTMALDG.3D", "UTMASTG.3D", "USETMAXREG.TRY_ALLOC", "USETMAXREG.DEALLOC", "BAR.ARV"],
    ...["LDSM.16.M88.4", "STSM.16.M88.4", "MUFU.EX2"],
  ],
  arithmetic_ceilings: ["HMMA.16816.F32.BF16", "FFMA", "MUFU.EX2"],
  attention: ["HMMA.16816.F32.BF16", "LDSM.16.M88.4", "LDSM.16.MT88.4", "LDGSTS.E.BYPASS.128", "MUFU.EX2"],
  attention_forward_wgmma: [
    ...["HGMMA.64x128x16.F32.BF16", "HGMMA.64x160x16.F32.BF16", "HGMMA.64x176x16.F32.BF16"],
    ...["HGMMA.64x64x16.F32.BF16", "HGMMA.64x80x16.F32.BF16", "HGMMA.64x88x16.F32.BF16"],
    ...["UTMALDG.3D", "UTMASTG.3D", "USETMAXREG.TRY_ALLOC", "USETMAXREG.DEALLOC", "BAR.ARV", "MUFU.EX2"],
  ],
  wgmma_ceiling: ["HGMMA.64x256x16.F32.BF16"],
  gemm_wgmma: [
    ...[128, 192, 256].map((n) => `HGMMA.64x${n}x16.F32.BF16`),
    ...["UTMALDG.3D", "USETMAXREG.TRY_ALLOC", "USETMAXREG.DEALLOC", "BAR.ARV", "SYNCS.PHASECHK"],
  ],
};

/**
 * Complaints about what `ptxas -v` said, each `kernel: reason`.
 * @param text  standard error of nvcc
 */
export function ptxasComplaints(text) {
  const complaints = [];
  let kernel = "no kernel";
  for (const line of text.split("\n")) {
    kernel = /(?:Compiling entry function|Function properties for) '?([\w$]+)/.exec(line)?.[1] ?? kernel;
    const [, stack, stores, loads] =
      /(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads/.exec(line) ?? [];
    if (Number(stores) > 0 || Number(loads) > 0) {
      complaints.push(`${kernel}: spills ${stores} bytes and loads ${loads}`);
    } else if (Number(stack) > 0) {
      complaints.push(`${kernel}: a stack frame of ${stack} bytes`);
    }
    // C7508: setmaxnreg ignored; C7510 and its like: wgmma serialized. They come as warnings, and as infos.
    if (/warning|\(C75\d\d\)|setmaxnreg ignored|serializ/i.test(line)) complaints.push(`${kernel}: ${line.trim()}`);
  }
  return complaints;
}

/** Which of the instructions do not occur in a disassembly. */
export function missingInstructions(sass, instructions) {
  return instructions.filter((name) => !new RegExp(`[\\s]${name.replaceAll(".", "\\.")}(?![A-Za-z0-9])`).test(sass));
}

/** Every CUDA source with kernels, and the capabilities that it is compiled for. */
export function cudaSources() {
  const rows = (list, pattern) => [...readFileSync(path.join(root, list), "utf8").matchAll(pattern)];
  const of = (folder, prefix, [, name, capability]) => ({
    stem: prefix + name,
    file: `native/cuda/${folder}/${prefix}${name}.cu`,
    targets: capability === "90" ? ["90a"] : ["80", "90a"],
  });
  const kernels = (folder, targets) =>
    readdirSync(path.join(root, folder))
      .filter((name) => name.endsWith(".cu"))
      .map((name) => ({ stem: name.slice(0, -".cu".length), file: `${folder}/${name}`, targets }));
  return [
    ...kernels("native/cuda", ["80", "90a"]),
    ...kernels("native/cuda/hopper", ["90a"]),
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
async function compile(source, target, version, folder) {
  const cubin = path.join(folder, compiledName(source, version, target));
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

/** A disassembler: the one named, or that on PATH. */
function findDisassembler() {
  const program = process.env.VIDEOMAE_CUOBJDUMP || "cuobjdump";
  try {
    execFileSync(program, ["--version"], { stdio: "ignore" });
    return program;
  } catch {
    return undefined;
  }
}

/** Complaints about one source; counts kernels in `totals`. */
async function checkSource(source, version, folder, disassembler, totals) {
  const complaints = [];
  for (const target of source.targets) {
    const compiled = await compile(source, target, version, folder).catch((error) => error);
    if (compiled instanceof Error) {
      const reason = /^.*error.*$/m.exec(compiled.stderr)?.[0] ?? compiled.message;
      complaints.push(`${source.file} (sm_${target}): does not compile: ${reason}`);
      continue;
    }
    const { cubin, said } = compiled;
    totals.files.add(path.basename(cubin));
    totals.kernels += said.match(/Compiling entry function/g)?.length ?? 0;
    complaints.push(...ptxasComplaints(said).map((text) => `${source.file} (sm_${target}): ${text}`));
    const instructions = INSTRUCTIONS[source.stem];
    if (!disassembler || target !== "90a" || !instructions) continue;
    const { stdout } = await run(disassembler, ["-sass", cubin], { maxBuffer: MAX_OUTPUT });
    totals.instructions += instructions.length;
    for (const name of missingInstructions(stdout, instructions)) complaints.push(`${source.file}: no ${name}`);
  }
  return complaints;
}

/** Checks all sources. Returns the complaints and one line that says what was looked at. */
export async function checkPtxas(version) {
  const folder = path.join(root, ".cmake", "ptxas");
  mkdirSync(folder, { recursive: true });
  const disassembler = findDisassembler();
  const totals = { kernels: 0, instructions: 0, files: new Set() };
  const waiting = cudaSources();
  const complaints = [];
  const worker = async () => {
    for (let source = waiting.shift(); source; source = waiting.shift()) {
      complaints.push(...(await checkSource(source, version, folder, disassembler, totals)));
    }
  };
  await Promise.all(Array.from({ length: os.availableParallelism() }, worker));
  for (const name of readdirSync(folder)) {
    if (!totals.files.has(name.replace(/\.txt$/, ""))) rmSync(path.join(folder, name), { recursive: true });
  }
  const instructions = disassembler
    ? `${totals.instructions} instructions looked for`
    : "instructions not checked: no cuobjdump on PATH or in VIDEOMAE_CUOBJDUMP";
  return { complaints, summary: `ptxas: ${totals.kernels} kernels, ${complaints.length} complaints; ${instructions}` };
}

if (process.argv[1] && path.resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const version = nvccVersion();
  if (version === undefined) {
    console.error("check-ptxas: nvcc is not on PATH; install the CUDA toolkit 13");
    process.exit(2);
  }
  const { complaints, summary } = await checkPtxas(version);
  for (const complaint of complaints) console.error(complaint);
  console.log(summary);
  process.exitCode = complaints.length === 0 ? 0 : 1;
}
