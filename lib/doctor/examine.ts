// The whole examination of a machine, in the order in which things are needed.

import { machineLimits, processorLimit } from "../machine/limits.js";
import { MachineFiles } from "../machine/machine-files.js";
import { processor } from "../machine/processor.js";
import { examineAddon } from "./addon.js";
import {
  examineKernels,
  examineLibc,
  examineMemory,
  examineNode,
  examineProcessor,
  examineThreads,
  loadKernels,
} from "./compute.js";
import type { Finding } from "./finding.js";
import { examineKernelTable, findGpuTable } from "./gpu-kernels.js";
import { examineGpus, examineMatrixLibrary, findDevices, findMatrixLibrary } from "./gpus.js";
import { examineDecoders, examineSharp, findBackends } from "./video.js";

/**
 * Looks at everything a run needs. Never throws: what cannot be known is said to be unknown.
 * @param data  also measure how fast these files are read
 */
export async function examineMachine({ data }: { data?: string } = {}): Promise<Finding[]> {
  const files = new MachineFiles();
  const cpu = processor(files);
  const limits = machineLimits(files);
  const kernels = await loadKernels();
  const devices = await findDevices();
  const findings = [
    examineNode(),
    examineLibc(),
    examineAddon(),
    examineProcessor(cpu),
    examineKernels(cpu, kernels),
    examineThreads(limits, kernels && "threads" in kernels ? kernels : undefined),
    examineMemory(limits),
    examineDecoders(await findBackends()),
    await examineSharp(),
    examineGpus(devices, files),
    examineMatrixLibrary(await findMatrixLibrary(devices)),
    examineKernelTable(findGpuTable(devices)),
  ];
  if (data === undefined) return findings;
  try {
    const { examineDisk } = await import("./disk.js");
    return [...findings, examineDisk(data, Math.max(1, Math.floor(processorLimit(limits) ?? 1)))];
  } catch (error) {
    return [...findings, diskUnknown(error)];
  }
}

function diskUnknown(error: unknown): Finding {
  const cause = error instanceof Error ? error.message : String(error);
  return { check: "data disk", status: "problem", found: "not measured", cause, fix: "see the cause", details: {} };
}
