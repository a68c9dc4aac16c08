// What a run computes on, and in what: the options `device` and `dtype` with "auto" decided.
import type { RunConfig } from "../config/run-options.js";
import type { RealType } from "../nn/module.js";
import type { Device } from "../tensor/dtype.js";
import { threads } from "../tensor/memory.js";
import { Tensor } from "../tensor/tensor.js";

/** What a user asks for. */
export type ComputeOptions = Pick<RunConfig, "device" | "dtype">;

/** What a run computes on, and in. */
export interface Compute {
  readonly device: Device;
  readonly dtype: Exclude<RealType, "f64">;
}

/** Decides what options leave open. */
export function computeOf({ device, dtype }: ComputeOptions): Compute {
  const chosen = device === "auto" ? "cpu" : device;
  return { device: chosen, dtype: dtype !== "auto" ? dtype : chosen.startsWith("cuda") ? "bf16" : "f32" };
}

/**
 * Sets the threads of the CPU and opens the device of a run, before anything else is done for it.
 * @throws VideomaeError that says what is missing where there is no such device
 */
export function openCompute(config: Pick<RunConfig, "device" | "dtype" | "threads">): void {
  if (config.threads > 0) threads(config.threads);
  openDevice(computeOf(config).device);
}

/**
 * Opens a device, before anything else is done for it.
 * @throws VideomaeError that says what is missing where there is no such device
 */
export function openDevice(device: Device): void {
  Tensor.zeros([1], "u8", device).dispose();
}
