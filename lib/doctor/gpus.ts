// NVIDIA GPUs: those that can be used, as the CUDA plug-in describes them, or its own reason why there is none; what
// the driver, its devices and its library look like from outside; and the library that makes matrix products on them.

import { findBinary } from "../addon/find-binary.js";
import { MachineFiles } from "../machine/machine-files.js";
import type { DeviceList, MatrixLibrary } from "../tensor/devices.js";
import { type Finding, fine, reasonOf } from "./finding.js";

const LIBRARY_FOLDERS = [
  ...["usr/lib/x86_64-linux-gnu", "usr/lib64", "usr/lib", "lib/x86_64-linux-gnu"],
  ...["usr/local/nvidia/lib64", "usr/local/cuda/compat", "usr/lib/wsl/lib"],
];

/** The devices; undefined when the native binary does not load, which is another finding. */
export async function findDevices(): Promise<DeviceList | undefined> {
  if (!findBinary().binary) return undefined;
  const { devices } = await import("../tensor/devices.js");
  return devices();
}

/** The library of matrix products, or why it cannot be had; undefined where no GPU can be used. */
export async function findMatrixLibrary(
  found: DeviceList | undefined,
): Promise<MatrixLibrary | { readonly failed: string } | undefined> {
  const gpu = found?.devices.find(({ device }) => device !== "cpu");
  if (gpu === undefined) return undefined;
  const { matrixLibrary } = await import("../tensor/devices.js");
  try {
    return matrixLibrary(gpu.device);
  } catch (error) {
    return { failed: reasonOf(error) };
  }
}

export function examineMatrixLibrary(
  library: MatrixLibrary | { readonly failed: string } | undefined,
  asked = process.env.VIDEOMAE_CUBLASLT,
): Finding {
  const check = "matrix library";
  const details = { library, asked };
  if (library === undefined) return fine(check, "not needed without a GPU", details);
  if ("file" in library) return fine(check, `${library.name}, ${library.file}`, details);
  const own = "none: the package's own kernels make all products";
  return {
    ...{ check, status: "warning", found: own, cause: "failed" in library ? library.failed : library.reason },
    fix: asked ? "unset VIDEOMAE_CUBLASLT" : "install cuBLAS 13, or name its folder in VIDEOMAE_CUBLASLT",
    details,
  };
}

export function examineGpus(
  found: DeviceList | undefined,
  files = new MachineFiles(),
  searched = process.env.LD_LIBRARY_PATH ?? "",
): Finding {
  const machine = driverOf(files, searched);
  const usable = found?.devices.filter(({ device }) => device.startsWith("cuda")) ?? [];
  const { noGpu } = found ?? {};
  const details = { ...machine, usable, reason: noGpu?.message };
  if (usable.length > 0) {
    const gpus = usable.map(({ device, name, capability, memory }) => {
      return `${device} ${name} (capability ${capability?.toFixed(1)}, ${((memory ?? 0) / 2 ** 30).toFixed(0)} GiB)`;
    });
    return fine("gpus", gpus.join(", "), details);
  }
  const { driver, devices, models, library } = machine;
  if (driver === undefined && devices.length === 0 && library === undefined) {
    return fine("gpus", "no NVIDIA driver, device or libcuda: runs use the CPU", details);
  }
  const parts = [
    driver ? `driver ${driver}` : "no driver loaded",
    devices.length > 0 ? `${devices.length} devices${models.length > 0 ? ` (${models.join(", ")})` : ""}` : "no device",
    library ? `libcuda in ${library}` : "no libcuda",
  ];
  return {
    ...{ check: "gpus", status: "warning", found: parts.join(", ") },
    cause: noGpu ? `no GPU can be used: ${noGpu.got}` : "the native binary does not load",
    fix: noGpu?.hint ?? "see the native binary",
    details,
  };
}

/** What the driver shows in its files. */
function driverOf(files: MachineFiles, searched: string) {
  const driver = /Module\s+(\d+[\d.]*)/.exec(files.text("proc/driver/nvidia/version") ?? "")?.[1];
  const devices = files.names("dev").filter((name) => /^nvidia\d+$/.test(name));
  const models = files
    .names("proc/driver/nvidia/gpus")
    .map((gpu) => files.field(`proc/driver/nvidia/gpus/${gpu}/information`, "Model") ?? "unknown model");
  const folders = [...searched.split(":").filter(Boolean), ...LIBRARY_FOLDERS];
  const library = folders.find((folder) => files.names(folder).some((name) => name.startsWith("libcuda.so")));
  return { driver, devices, models, library };
}
