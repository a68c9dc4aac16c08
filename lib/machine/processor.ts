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
  avx512bf16: ["avx512_bf16"],
  amx: ["amx_tile", "amx_bf16"],
} as const;

/** A set of CPU kernels. */
export type InstructionSet = "portable" | keyof typeof SETS;

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
export function widestSet({ features }: Processor): InstructionSet {
  let widest: InstructionSet = "portable";
  for (const [name, needed] of Object.entries(SETS)) {
    if (!needed.every((feature) => features.includes(feature))) break;
    widest = name as InstructionSet;
  }
  return widest;
}
