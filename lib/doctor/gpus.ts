// NVIDIA GPUs, as the driver, its devices and its library show them. This version computes on the CPU alone.

import { MachineFiles } from "../machine/machine-files.js";
import { type Finding, fine } from "./finding.js";

const LIBRARY_FOLDERS = [
  ...["usr/lib/x86_64-linux-gnu", "usr/lib64", "usr/lib", "lib/x86_64-linux-gnu"],
  ...["usr/local/nvidia/lib64", "usr/local/cuda/compat", "usr/lib/wsl/lib"],
];

export function examineGpus(files = new MachineFiles(), searched = process.env.LD_LIBRARY_PATH ?? ""): Finding {
  const driver = /Module\s+(\d+[\d.]*)/.exec(files.text("proc/driver/nvidia/version") ?? "")?.[1];
  const devices = files.names("dev").filter((name) => /^nvidia\d+$/.test(name));
  const models = files
    .names("proc/driver/nvidia/gpus")
    .map((gpu) => files.field(`proc/driver/nvidia/gpus/${gpu}/information`, "Model") ?? "unknown model");
  const folders = [...searched.split(":").filter(Boolean), ...LIBRARY_FOLDERS];
  const library = folders.find((folder) => files.names(folder).some((name) => name.startsWith("libcuda.so")));
  const details = { driver, devices, models, library, plugin: false };
  const plain = "runs use the CPU: this version has no CUDA plug-in";
  if (driver === undefined && devices.length === 0 && library === undefined) {
    return fine("gpus", `no NVIDIA driver, device or libcuda; ${plain}`, details);
  }
  const parts = [
    driver ? `driver ${driver}` : "no driver loaded",
    devices.length > 0 ? `${devices.length} devices${models.length > 0 ? ` (${models.join(", ")})` : ""}` : "no device",
    library ? `libcuda in ${library}` : "no libcuda",
  ];
  return {
    ...{ check: "gpus", status: "warning", found: parts.join(", ") },
    cause: "this version has no CUDA plug-in, so no GPU is used",
    fix: "none with this version: runs use the CPU",
    details,
  };
}
