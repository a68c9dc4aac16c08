// The processor as Linux describes it.

import { MachineFiles } from "./machine-files.js";

export interface Processor {
  readonly model: string | undefined;
  readonly architecture: string;
  /** Of the features that kernels may use, those it has. */
  readonly features: readonly string[];
}

/** What the kernels are compiled for, by the kernel's names, in ascending order. */
const KNOWN = ["sse4_2", "avx", "f16c", "fma", "bmi2", "avx2", "avx512f", "avx512bw", "avx512cd", "avx512dq"].concat([
  ...["avx512vl", "avx512_vnni", "avx512_bf16", "avx512_fp16", "avx_vnni", "amx_tile", "amx_bf16", "amx_int8"],
]);

/** The kernel sets from narrow to wide, and the features each needs besides those before it. */
const SETS = {
  avx2: ["avx2", "fma", "bmi2"],
  avx512: ["avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"],
} as const;

/** Reads the processor's description. Never throws. */
export function processor(files = new MachineFiles(), architecture: string = process.arch): Processor {
  const has = new Set((files.field("proc/cpuinfo", "flags") ?? "").split(" "));
  return {
    model: files.field("proc/cpuinfo", "model name"),
    architecture,
    features: KNOWN.filter((feature) => has.has(feature)),
  };
}

/** The widest kernel set that the features allow. */
export function widestSet({ features }: Processor): "portable" | "avx2" | "avx512" {
  const all = (needed: readonly string[]) => needed.every((feature) => features.includes(feature));
  if (!all(SETS.avx2)) return "portable";
  return all(SETS.avx512) ? "avx512" : "avx2";
}
