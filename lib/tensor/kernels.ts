// Which kernels a device computes by, where one can stand in for another: what it is told before it first computes, what
// it took, and what would be taken.
import { binding } from "../addon/binding.js";
import { VideomaeError } from "../errors.js";
import type { Device } from "./dtype.js";
import { choicesOf, damagedTable, findKernelTable } from "./kernel-table.js";

/** Devices that need no look at their table any more, in this thread. */
const told = new Set<Device>();

/**
 * A device, once it has been told which kernels were fastest on it. That happens once in a process, before it computes.
 * @param op  what wants it, for errors
 * @throws VideomaeError when there is no such device, and when its table is damaged
 */
export function ready(device: Device, op: string): Device {
  if (device === "cpu" || told.has(device)) return device;
  const gpu = binding.awaitsKernels(device, op);
  if (gpu === undefined) return device;
  if (gpu !== "") {
    const found = findKernelTable(gpu);
    tell(device, found.state === "used" ? choicesOf(found.table) : [], found.file);
  }
  told.add(device);
  return device;
}

/** Has a device compute by its default kernels, whatever its table says. */
export function useDefaultKernels(device: Device): void {
  tell(device, [], "");
}

function tell(device: Device, choices: readonly (readonly [string, string])[], file: string): void {
  try {
    binding.chooseKernels(device, choices.map(([work, variant]) => `${work} = ${variant}`).join("\n"));
  } catch (error) {
    if (!(error instanceof VideomaeError)) throw error;
    throw damagedTable(file, error.got ?? "an unknown choice", error);
  }
}

/** What follows the name of a kernel that nobody has chosen. */
const DEFAULT = " (default)";

/** Kernels by the work that they do: "wgmma" where it was chosen, "mma (default)" where nothing was. */
export type Kernels = Readonly<Record<string, string>>;

/** How many of them were chosen: "3 of 43 chosen"; "default" where none was. */
export function kernelsText(kernels: Kernels): string {
  const all = Object.values(kernels);
  const chosen = all.filter((kernel) => !kernel.endsWith(DEFAULT)).length;
  return chosen === 0 ? "default" : `${chosen} of ${all.length} chosen`;
}

/** All work with a choice of kernels that a device has done in this process, and by which. */
export function kernelsUsed(device: Device): Kernels {
  if (device === "cpu") return {};
  return Object.fromEntries(
    binding
      .kernelWorks(device)
      .map(({ work, variants, chosen }) => [work, chosen === variants.split(" ")[0] ? chosen + DEFAULT : chosen]),
  );
}

/** By which kernels a device would do work that was done before. */
export function kernelsFor(device: Device, before: Kernels): Kernels {
  if (device === "cpu") return {};
  return Object.fromEntries(
    Object.entries(before).map(([work, kernel]) => {
      const named = binding.kernelChoice(device, work);
      if (named === "") return [work, kernel.endsWith(DEFAULT) ? kernel : "the default"];
      return [work, kernel === named + DEFAULT ? kernel : named];
    }),
  );
}
