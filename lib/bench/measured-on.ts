// What a measurement computes on, and what its rows say of it.
import type { RealType } from "../nn/module.js";
import type { Device } from "../tensor/dtype.js";
import { kernelsText, kernelsUsed } from "../tensor/kernels.js";
import { instructionSet, threads } from "../tensor/memory.js";
import { origin } from "./machine.js";

export interface MeasuredOn {
  readonly device: Device;
  readonly dtype: Exclude<RealType, "f64">;
  /** Number of the round, where there are several. */
  readonly round?: number;
  /** Says that the shapes are tiny: the rows show that it runs, and no more. */
  readonly tiny?: boolean;
}

/** How the work was done. */
export interface Variant {
  /** Whether a device replays it from a captured graph; on a CPU it says nothing. */
  readonly graph: boolean;
  readonly [name: string]: string | boolean;
}

/** The fields that every row of ours has, but for times and work; taken when the work has been done. */
export function ourFields({ device, dtype, round, tiny }: MeasuredOn, { graph, ...variant }: Variant) {
  const onCpu = device === "cpu";
  return {
    system: "videomae" as const,
    device: onCpu ? ("cpu" as const) : ("cuda" as const),
    ...(onCpu && { threads: threads() }),
    dtype,
    variant: {
      ...(onCpu ? { instructionSet: instructionSet() } : { graph, kernels: kernelsText(kernelsUsed(device)) }),
      ...variant,
    },
    ...(round !== undefined && { round }),
    ...(tiny && { quick: true }),
    ...origin(device),
  };
}
