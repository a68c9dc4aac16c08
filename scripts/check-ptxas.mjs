#!/usr/bin/env node
// What ptxas makes of the CUDA sources, without a GPU: no kernel may spill registers or keep a stack frame, and ptxas
// may not set aside what a source asks for (setmaxnreg, asynchronous wgmma). Where a disassembler is found, each probe
// must also hold the instructions that it is about; else one line says that they were not checked.
//
// Sources are the plug-in's kernels, and those of probes.def and ceilings.def with their targets, compiled by ptxas.mjs.
// Exit status: 0, 1 with complaints, 2 without nvcc.
import { readdirSync, rmSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { inParallel } from "./in-parallel.mjs";
import {
  compile,
  compiledFolder,
  cudaSources,
  disassemble,
  findDisassembler,
  nvccVersion,
  ptxasWords,
} from "./ptxas.mjs";

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
    "LDGSTS.E.BYPASS.LTC128B.128.ZFILL",
    "LDGSTS.E.LTC128B.ZFILL",
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

/** Complaints about what was said of a kernel (ptxasWords), each `kernel: reason`. */
export function ptxasComplaints({ kernel, stackBytes, spillStores, spillLoads, remarks }) {
  const complaints = remarks.map((line) => line.trim());
  if (spillStores > 0 || spillLoads > 0) complaints.push(`spills ${spillStores} bytes and loads ${spillLoads}`);
  else if (stackBytes > 0) complaints.push(`a stack frame of ${stackBytes} bytes`);
  return complaints.map((text) => `${kernel ?? "no kernel"}: ${text}`);
}

/** Which of the instructions do not occur in a disassembly. */
export function missingInstructions(sass, instructions) {
  return instructions.filter((name) => !new RegExp(`[\\s]${name.replaceAll(".", "\\.")}(?![A-Za-z0-9])`).test(sass));
}

/** Complaints about one source; counts kernels in `totals`. */
async function checkSource(source, version, disassembler, totals) {
  const complaints = [];
  for (const target of source.targets) {
    const compiled = await compile(source, target, version).catch((error) => error);
    if (compiled instanceof Error) {
      const reason = /^.*error.*$/m.exec(compiled.stderr)?.[0] ?? compiled.message;
      complaints.push(`${source.file} (sm_${target}): does not compile: ${reason}`);
      continue;
    }
    const { cubin, said } = compiled;
    totals.files.add(path.basename(cubin));
    const words = ptxasWords(said);
    totals.kernels += words.filter(({ kernel }) => kernel).length;
    complaints.push(...words.flatMap(ptxasComplaints).map((text) => `${source.file} (sm_${target}): ${text}`));
    const instructions = INSTRUCTIONS[source.stem];
    if (!disassembler || target !== "90a" || !instructions) continue;
    const sass = await disassemble(disassembler, ["-sass"], cubin);
    totals.instructions += instructions.length;
    for (const name of missingInstructions(sass, instructions)) complaints.push(`${source.file}: no ${name}`);
  }
  return complaints;
}

/** Checks sources. Returns the complaints, one line that says what was looked at, and the files of compiled code. */
export async function checkPtxas(version, sources = cudaSources()) {
  const disassembler = findDisassembler();
  const totals = { kernels: 0, instructions: 0, files: new Set() };
  const complaints = [];
  await inParallel(sources, async (source) => {
    complaints.push(...(await checkSource(source, version, disassembler, totals)));
  });
  const instructions = disassembler
    ? `${totals.instructions} instructions looked for`
    : "instructions not checked: no cuobjdump on PATH or in VIDEOMAE_CUOBJDUMP";
  const summary = `ptxas: ${totals.kernels} kernels, ${complaints.length} complaints; ${instructions}`;
  return { complaints, summary, files: totals.files };
}

/** Removes compiled code of sources as they were before. */
function forgetOthers(files) {
  for (const name of readdirSync(compiledFolder)) {
    if (!files.has(name.replace(/\.txt$/, ""))) rmSync(path.join(compiledFolder, name), { recursive: true });
  }
}

if (process.argv[1] && path.resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const version = nvccVersion();
  if (version === undefined) {
    console.error("check-ptxas: nvcc is not on PATH; install the CUDA toolkit 13");
    process.exit(2);
  }
  const { complaints, summary, files } = await checkPtxas(version);
  forgetOthers(files);
  for (const complaint of complaints) console.error(complaint);
  console.log(summary);
  process.exitCode = complaints.length === 0 ? 0 : 1;
}
