// What the last bits of results depend on besides the options and the data: kept in checkpoints, so that a run that goes
// on elsewhere can say what is different. The number of threads is not among it: results do not depend on it.
import type { RunConfig } from "../config/run-options.js";
import { findDecoder } from "../data/find-decoder.js";
import { manifest } from "../manifest.js";
import { matrixLibrary } from "../tensor/devices.js";
import type { Device } from "../tensor/dtype.js";
import { type Kernels, kernelsFor, kernelsUsed } from "../tensor/kernels.js";
import { instructionSet } from "../tensor/memory.js";
import { computeOf } from "./compute.js";

/** What the numbers of a run depend on beside its options; a checkpoint keeps it, and a resumed run says what differs. */
export interface Numerics {
  /** The version of this package. */
  readonly package: string;
  readonly instructionSet: string;
  /** What decodes video, with the version of FFmpeg in it; "none" where there is only raw frames to read. */
  readonly decoder: string;
  /** What computes. */
  readonly device: string;
  /** What activations and matrix products are in. */
  readonly dtype: string;
  /** The library of matrix products with its version, "cuBLASLt 13.1.1"; "none" where the package's own kernels make all. */
  readonly matrixLibrary: string;
  /** Of a GPU: all work that has several kernels, and which did it; "mma (default)" where none was chosen. */
  readonly kernels?: Kernels;
}

/** The numerics of a run with the kernels that it has used by now. */
export function withKernelsUsed(numerics: Numerics): Numerics {
  const device = numerics.device as Device;
  return device === "cpu" ? numerics : { ...numerics, kernels: kernelsUsed(device) };
}

/** The numerics of a run with the kernels that it will use for what an earlier one did. */
export function withKernelsFor(numerics: Numerics, earlier: Numerics): Numerics {
  const device = numerics.device as Device;
  const { kernels } = earlier;
  return kernels === undefined || device === "cpu" ? numerics : { ...numerics, kernels: kernelsFor(device, kernels) };
}

/** The numerics of a run in this process, with what its choices come to here. */
export async function numericsOf(config: Pick<RunConfig, "decoder" | "device" | "dtype">): Promise<Numerics> {
  const { decoder } = config;
  const found = await findDecoder(decoder).then(
    ({ name, version }) => `${name} (${version})`,
    () => "none",
  );
  const compute = computeOf(config);
  const { name } = matrixLibrary(compute.device);
  return {
    package: manifest().version,
    instructionSet: instructionSet(),
    decoder: found,
    ...compute,
    matrixLibrary: name,
  };
}
