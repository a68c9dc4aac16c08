// What memory and threads the package uses.
import { binding, type NativeMemory } from "../addon/binding.js";
import { VideomaeError } from "../errors.js";
import type { InstructionSet } from "../machine/processor.js";
import type { Device } from "./dtype.js";
import { leakedTensors } from "./leaks.js";
import { liveTensors } from "./tensor.js";

/** Memory in bytes, and tensors by count. */
export interface MemoryReport extends NativeMemory {
  /** Tensors alive in this thread. */
  readonly tensors: number;
  /** Tensors that were garbage-collected without dispose(): mistakes in the caller's code. */
  readonly leaked: number;
}

/** The process's memory on a device, and the tensors of this thread on any. */
export function memory(device: Device = "cpu"): MemoryReport {
  return { ...binding.memory(device), tensors: liveTensors(), leaked: leakedTensors() };
}

/** Sets the peak of a device to what is live now. */
export function resetPeakMemory(device: Device = "cpu"): void {
  binding.resetPeak(device);
}

/** Gives cached memory back to the operating system, or to the device. */
export function emptyCache(device: Device = "cpu"): void {
  binding.emptyCache(device);
}

/**
 * Runs `body` without computing anything and without taking memory: what it allocates is only counted, and `memory()`
 * inside it reports the counted blocks. Values read in it mean nothing, and its tensors cannot be used after it. For
 * forecasts: what a step would take, to the byte.
 * @param body  synchronous
 */
export function rehearse<T>(body: () => T): T {
  const result = binding.rehearse(body);
  if (result instanceof Promise) {
    result.catch(() => {}); // what it goes on to do fails outside the rehearsal; the error below says why
    throw new VideomaeError({ op: "rehearse", expected: "a synchronous body", got: "an async one" });
  }
  return result;
}

/** The number of threads kernels use; sets it first when given (1 to 256). Results do not depend on it. */
export function threads(count?: number): number {
  return binding.threads(count);
}

/** Makes kernels called from this thread run on it alone, as loader workers do. */
export function runSingleThreaded(on: boolean): void {
  binding.singleThreaded(on);
}

/** The CPU kernels in use, the widest that the processor has at first; sets them when given. */
export function instructionSet(name?: InstructionSet): string {
  return binding.instructionSet(name);
}
