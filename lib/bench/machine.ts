// What our rows say of the machine, the versions and the moment, and how busy other programs kept the machine.

import { existsSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { childProcess } from "../library.js";
import { manifest, packageRoot } from "../manifest.js";
import { describeDevice } from "../tensor/devices.js";
import type { Device } from "../tensor/dtype.js";

/** The fields of a row that say where, with what and when it was measured. A GPU's rows bear its name. */
export function origin(device: Device = "cpu") {
  const processor = os.cpus()[0].model.trim();
  const commit = process.env.VIDEOMAE_COMMIT ?? headCommit();
  const gpu = device === "cpu" ? undefined : describeDevice(device);
  return {
    machine: {
      ...{ name: gpu?.name ?? processor, processor, cores: os.cpus().length },
      ...(gpu?.memory !== undefined && { memoryBytes: gpu.memory }),
    },
    versions: { videomae: manifest().version, node: process.versions.node },
    ...(commit && { commit }),
    date: `${new Date().toISOString().slice(0, 19)}Z`,
  };
}

/** Undefined outside a checkout: where the package is installed, the repository around it is another's. */
function headCommit(): string | undefined {
  if (!existsSync(path.join(packageRoot, ".git"))) return undefined;
  try {
    const argv = ["-C", packageRoot, "rev-parse", "--short=12", "HEAD"];
    return childProcess()
      .execFileSync("git", argv, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] })
      .trim();
  } catch {
    return undefined;
  }
}

/** Starts to watch; the returned function gives the cores that other processes kept busy since. */
export function watchOthers(): () => number {
  const [busy, own, begun] = [busySeconds(), ownSeconds(), performance.now()];
  return () => {
    const others = busySeconds() - busy - (ownSeconds() - own);
    return Number(Math.max(0, (1000 * others) / (performance.now() - begun)).toFixed(2));
  };
}

function busySeconds(): number {
  return os.cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0) / 1000;
}

function ownSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}
