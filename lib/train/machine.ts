// The machine that a run is on, for whoever reads its log later. No number depends on it: see numerics.ts for what does.
import { hostname } from "node:os";
import { machineLimits, memoryLimit, processorLimit } from "../machine/limits.js";
import { processor } from "../machine/processor.js";
import { devices } from "../tensor/devices.js";
import type { Device } from "../tensor/dtype.js";

export interface Machine {
  readonly host: string;
  readonly processor?: string;
  /** Processors' worth of time that the run may use. */
  readonly processors?: number;
  /** Bytes of memory that it may use. */
  readonly memory?: number;
  /** The name of the GPU that computes, and its memory in bytes. */
  readonly gpu?: string;
  readonly gpuMemory?: number;
}

/** Describes the machine; what it does not say is left out. */
export function machineOf(device: Device): Machine {
  const limits = machineLimits();
  const gpu = device.startsWith("cuda") ? devices().devices.find((found) => found.device === device) : undefined;
  return {
    ...{
      host: hostname(),
      processor: processor().model,
      processors: processorLimit(limits),
      memory: memoryLimit(limits),
    },
    ...{ gpu: gpu?.name, gpuMemory: gpu?.memory },
  };
}
