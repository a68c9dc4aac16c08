// Which devices there are, and why others are not.
import { binding, type NativeDevice } from "../addon/binding.js";
import { VideomaeError } from "../errors.js";
import type { Device } from "./dtype.js";

/** A device that tensors can be on. */
export interface DeviceDescription {
  readonly device: Device;
  /** As its maker calls it; only of GPUs. */
  readonly name?: string;
  /** Compute capability, e.g. 9.0; only of GPUs. */
  readonly capability?: number;
  /** Bytes of its own memory; only of GPUs. */
  readonly memory?: number;
}

export interface DeviceList {
  /** The CPU first. */
  readonly devices: readonly DeviceDescription[];
  /** Why there is no GPU among them: what is missing, and what to do about it. */
  readonly noGpu?: VideomaeError;
}

/** Looks for devices. None is opened: that happens when one is first used. */
export function devices(): DeviceList {
  const cpu = binding.devices("cpu").map(described);
  try {
    return { devices: [...cpu, ...binding.devices("cuda").map(described)] };
  } catch (error) {
    if (!(error instanceof VideomaeError)) throw error;
    return { devices: cpu, noGpu: error };
  }
}

function described({ device, name, capability, memory }: NativeDevice): DeviceDescription {
  return {
    device: device as Device,
    ...(capability === undefined ? {} : { name, capability: capability / 10, memory }),
  };
}

/**
 * Waits, in this thread, until a device has done all it was given. Rarely needed: reading waits for what it reads.
 * @throws VideomaeError when a kernel has met an index out of range
 */
export function synchronize(device: Device): void {
  binding.synchronize(device);
}
