// Which devices there are, and why others are not.
import { binding, type NativeDevice } from "../addon/binding.js";
import { VideomaeError } from "../errors.js";
import type { Device } from "./dtype.js";
import { sameDevice } from "./tensor.js";

/** A device that tensors can be on. */
export interface DeviceDescription {
  readonly device: Device;
  /** As its maker calls it; only of GPUs. */
  readonly name?: string;
  /** Compute capability, e.g. 9.0; only of GPUs. */
  readonly capability?: number;
  /** Bytes of its own memory; only of GPUs. */
  readonly memory?: number;
  /** Versions of CUDA and of the driver; only of GPUs. */
  readonly software?: string;
}

/** The devices there are. */
export interface DeviceList {
  /** The CPU first. */
  readonly devices: readonly DeviceDescription[];
  /** Why there is no GPU among them: what is missing, and what to do about it. */
  readonly noGpu?: VideomaeError;
}

/** What makes plain matrix products on a device: a library that was found, or the package's own kernels. */
export type MatrixLibrary =
  | { readonly name: string; readonly file: string }
  | { readonly name: "none"; readonly reason: string };

/**
 * Looks for the library of matrix products, which is opened and stays.
 * @throws VideomaeError when VIDEOMAE_CUBLASLT asks for one that is not there, and where there is no such device
 */
export function matrixLibrary(device: Device): MatrixLibrary {
  if (device === "cpu") return { name: "none", reason: "the CPU does without" };
  const { name, file, reason } = binding.matrixLibrary(device);
  return name === "" ? { name: "none", reason } : { name, file };
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

/** A device by its name; undefined where there is no such device. */
export function describeDevice(device: Device): DeviceDescription | undefined {
  try {
    return find(device);
  } catch (error) {
    if (!(error instanceof VideomaeError)) throw error;
    return undefined;
  }
}

/** What is known of every GPU. */
export type Gpu = Required<DeviceDescription>;

/**
 * A GPU by its name.
 * @throws VideomaeError that says what is missing
 */
export function describeGpu(device: Device): Gpu {
  const found = find(device);
  if (found !== undefined && isGpu(found)) return found;
  throw new VideomaeError({ op: "device", expected: "a GPU that is there", got: device });
}

function isGpu(described: DeviceDescription): described is Gpu {
  return described.name !== undefined;
}

function find(device: Device): DeviceDescription | undefined {
  return binding
    .devices(device)
    .map(described)
    .find((one) => sameDevice(one.device, device));
}

function described({ device, name, capability, memory, software }: NativeDevice): DeviceDescription {
  return {
    device: device as Device,
    ...(capability === undefined ? {} : { name, capability: capability / 10, memory, software }),
  };
}

/**
 * Waits, in this thread, until a device has done all it was given. Rarely needed: reading waits for what it reads.
 * @throws VideomaeError when a kernel has met an index out of range
 */
export function synchronize(device: Device): void {
  binding.synchronize(device);
}
