// What computes: the processor and the kernels chosen for it, threads and memory against what the machine and its
// control groups allow, and the program's own floor.

import { findBinary } from "../addon/find-binary.js";
import { GLIBC_FLOOR, glibcVersion } from "../machine/libc.js";
import { type MachineLimits, memoryLimit, processorLimit } from "../machine/limits.js";
import { type Processor, widestSet } from "../machine/processor.js";
import { manifest } from "../manifest.js";
import { type Finding, fine, reasonOf } from "./finding.js";

/** What the native binary says of itself. */
export interface Kernels {
  readonly instructionSet: string;
  readonly threads: number;
}

const LITTLE_MEMORY = 2e9;

/** Asks the native binary; undefined when it does not load, which is a finding of its own. */
export async function loadKernels(): Promise<Kernels | { readonly failed: string } | undefined> {
  if (!findBinary().binary) return undefined;
  const { instructionSet, threads } = await import("../tensor/memory.js");
  try {
    return { instructionSet: instructionSet(), threads: threads() };
  } catch (error) {
    return { failed: reasonOf(error) };
  }
}

export function examineProcessor(processor: Processor): Finding {
  const { model, architecture, features } = processor;
  const found = `${model ?? "unknown model"} (${architecture})${features.length > 0 ? `: ${features.join(" ")}` : ""}`;
  if (architecture === "x64") return fine("processor", found, { ...processor });
  return {
    ...{ check: "processor", status: "warning", found },
    cause: "the fast kernels are for x86-64; on other processors the portable ones run, untested",
    fix: "use an x86-64 machine",
    details: { ...processor },
  };
}

export function examineKernels(
  processor: Processor,
  kernels: Kernels | { readonly failed: string } | undefined,
  asked = process.env.VIDEOMAE_ISA,
): Finding {
  const check = "kernels";
  const widest = widestSet(processor);
  if (kernels === undefined) {
    const cause = "the native binary does not load";
    return { check, status: "problem", found: "none", cause, fix: "see native binary", details: { widest } };
  }
  if ("failed" in kernels) {
    const fix = "unset VIDEOMAE_ISA";
    return { check, status: "problem", found: "none", cause: kernels.failed, fix, details: { widest, asked } };
  }
  const { instructionSet } = kernels;
  const details = { instructionSet, widest, asked };
  const found =
    instructionSet === "portable" ? "portable" : `${instructionSet}, and narrower ones where it gains nothing`;
  if (instructionSet !== "portable" && (instructionSet === widest || widest === "portable"))
    return fine(check, found, details);
  if (asked) {
    const cause = `VIDEOMAE_ISA asks for ${asked}`;
    return { check, status: "warning", found, cause, fix: `unset VIDEOMAE_ISA to use ${widest}`, details };
  }
  const cause = "this processor has neither AVX2 nor AVX-512";
  return {
    check,
    status: "warning",
    found,
    cause,
    fix: "use a newer processor: these are several times faster",
    details,
  };
}

export function examineThreads(limits: MachineLimits, kernels: Kernels | undefined): Finding {
  const check = "threads";
  const { processors, affinity, groupProcessors } = limits;
  const threads = kernels?.threads;
  const allowed = processorLimit(limits);
  const details = { threads, processors, affinity, groupProcessors, allowed };
  const group =
    groupProcessors === undefined ? "no limit by control groups" : `control groups allow ${groupProcessors}`;
  const found = `${threads ?? "unknown"} for kernels; ${processors ?? "unknown"} processors, ${affinity ?? "unknown"} by affinity, ${group}`;
  if (threads === undefined || allowed === undefined || threads <= Math.ceil(allowed))
    return fine(check, found, details);
  const use = Math.max(1, Math.floor(allowed));
  return {
    ...{ check, status: "warning", found },
    cause: `kernels would use ${threads} threads where time for ${allowed} processors is given, and wait for each other`,
    fix: `give pretrain --threads ${use}`,
    details,
  };
}

export function examineMemory(limits: MachineLimits): Finding {
  const check = "memory";
  const { memory, available, groupMemory, groupUsed } = limits;
  const limit = memoryLimit(limits);
  const free = [available, groupMemory === undefined ? undefined : groupMemory - (groupUsed ?? 0)].filter(
    (bytes) => bytes !== undefined,
  );
  const left = free.length > 0 ? Math.min(...free) : undefined;
  const gigabytes = (bytes: number | undefined) => (bytes === undefined ? "unknown" : `${(bytes / 1e9).toFixed(1)} GB`);
  const group =
    groupMemory === undefined ? "no limit by control groups" : `control groups allow ${gigabytes(groupMemory)}`;
  const found = `${gigabytes(memory)}, ${gigabytes(left)} free; ${group}`;
  const details = { memory, available, groupMemory, groupUsed, limit, free: left };
  if (left === undefined || left >= LITTLE_MEMORY) return fine(check, found, details);
  return {
    ...{ check, status: "warning", found },
    cause: "little memory is free: ViT-S takes about 1 GB, ViT-B about 3 GB with small batches",
    fix: "videomae inspect model <size> says what a run takes; give --recompute, or a smaller --batch-size",
    details,
  };
}

/** Node, against the floor of package.json. */
export function examineNode(version = process.versions.node): Finding {
  const floor = manifest().engines.node.replace(/^>=/, "");
  const details = { version, floor };
  if (isAtLeast(version, floor)) return fine("node", version, details);
  const cause = `it is older than ${floor}`;
  return { check: "node", status: "problem", found: version, cause, fix: `install Node ${floor} or newer`, details };
}

/** The C library, against what prebuilt binaries are linked with. */
export function examineLibc(glibc = glibcVersion()): Finding {
  const check = "c library";
  const details = { glibc, floor: GLIBC_FLOOR };
  if (glibc !== undefined && isAtLeast(glibc, GLIBC_FLOOR)) return fine(check, `glibc ${glibc}`, details);
  return {
    ...{ check, status: "warning", found: glibc === undefined ? "not glibc" : `glibc ${glibc}` },
    cause: `prebuilt binaries need glibc ${GLIBC_FLOOR} or newer`,
    fix: "build the binary on this machine with npx videomae build-native, or use Debian 12, Ubuntu 22.04, RHEL 9 or newer",
    details,
  };
}

/** "20.19.0" against "20.19" */
function isAtLeast(version: string, floor: string): boolean {
  const [have, need] = [version, floor].map((text) => text.split(".").map(Number));
  for (const [i, part] of need.entries()) if ((have[i] ?? 0) !== part) return (have[i] ?? 0) > part;
  return true;
}
