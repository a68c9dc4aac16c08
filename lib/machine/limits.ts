// What this process may use of the machine: memory and processors, by the machine itself, by its control groups
// (version 2 and version 1, every group from the process's own up to the root), and by its processor affinity.

import { MachineFiles } from "./machine-files.js";

export interface MachineLimits {
  /** Bytes of the machine's memory; undefined when it does not say. */
  readonly memory: number | undefined;
  /** Bytes that could be had now, as the kernel estimates it. */
  readonly available: number | undefined;
  /** The tightest memory limit of a control group; undefined when there is none. */
  readonly groupMemory: number | undefined;
  /** Bytes the groups already use, where there is a limit. */
  readonly groupUsed: number | undefined;
  /** Processors of the machine that are online. */
  readonly processors: number | undefined;
  /** Processors this process may run on. */
  readonly affinity: number | undefined;
  /** Processors' worth of time the control groups allow, e.g. 1.5; undefined when there is no limit. */
  readonly groupProcessors: number | undefined;
}

/** A version 1 group without a limit says a number near 2^63. */
const NO_LIMIT = 2 ** 60;

/** Reads the limits of this process. Never throws: what is not known is undefined. */
export function machineLimits(files = new MachineFiles()): MachineLimits {
  const memory = kilobytes(files, "MemTotal");
  const groups = [...groupsV2(files), ...groupsV1(files)];
  const limited = groups.filter(({ memory: limit }) => limit !== undefined);
  const tightest = limited.reduce<Group | undefined>((a, b) => (a && a.memory! <= b.memory! ? a : b), undefined);
  const shares = groups.flatMap(({ processors }) => (processors === undefined ? [] : [processors]));
  return {
    memory,
    available: kilobytes(files, "MemAvailable"),
    groupMemory: tightest?.memory,
    groupUsed: tightest?.used,
    processors: listLength(files.text("sys/devices/system/cpu/online")),
    affinity: listLength(files.field("proc/self/status", "Cpus_allowed_list")),
    groupProcessors: shares.length > 0 ? Math.min(...shares) : undefined,
  };
}

/** The most memory the process can have: the machine's, or less where a group allows less. Undefined: not known. */
export function memoryLimit({ memory, groupMemory }: MachineLimits): number | undefined {
  const known = [memory, groupMemory].filter((bytes) => bytes !== undefined);
  return known.length > 0 ? Math.min(...known) : undefined;
}

/** Processors' worth of time the process can have. */
export function processorLimit({ processors, affinity, groupProcessors }: MachineLimits): number | undefined {
  const known = [affinity ?? processors, groupProcessors].filter((count) => count !== undefined);
  return known.length > 0 ? Math.min(...known) : undefined;
}

interface Group {
  readonly memory: number | undefined;
  readonly used: number | undefined;
  readonly processors: number | undefined;
}

function groupsV2(files: MachineFiles): Group[] {
  const own = groupPath(files, (controllers) => controllers === "");
  return foldersUp(own).map((folder) => {
    const at = `sys/fs/cgroup${folder}`;
    const [quota, period] = (files.text(`${at}/cpu.max`) ?? "").split(/\s+/).map(Number);
    return {
      memory: files.number(`${at}/memory.max`),
      used: files.number(`${at}/memory.current`),
      processors: quota > 0 && period > 0 ? quota / period : undefined,
    };
  });
}

function groupsV1(files: MachineFiles): Group[] {
  const folders = (controller: string) =>
    foldersUp(groupPath(files, (controllers) => controllers.split(",").includes(controller)));
  const memory = folders("memory").map((folder) => {
    const at = `sys/fs/cgroup/memory${folder}`;
    const limit = files.number(`${at}/memory.limit_in_bytes`);
    const used = files.number(`${at}/memory.usage_in_bytes`);
    return { memory: limit !== undefined && limit < NO_LIMIT ? limit : undefined, used, processors: undefined };
  });
  const cpu = folders("cpu").map((folder) => {
    const at = ["cpu", "cpu,cpuacct"].map((name) => `sys/fs/cgroup/${name}${folder}`);
    const [quota, period] = ["cpu.cfs_quota_us", "cpu.cfs_period_us"].map((name) =>
      at.map((folderOf) => files.number(`${folderOf}/${name}`)).find((value) => value !== undefined),
    );
    const processors = quota !== undefined && quota > 0 && period ? quota / period : undefined;
    return { memory: undefined, used: undefined, processors };
  });
  return [...memory, ...cpu];
}

/** The group of this process in the hierarchy that `wanted` picks by its controllers; the root when it is not said. */
function groupPath(files: MachineFiles, wanted: (controllers: string) => boolean): string {
  for (const line of files.text("proc/self/cgroup")?.split("\n") ?? []) {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (path !== undefined && wanted(controllers)) return path.split("/").includes("..") ? "/" : path;
  }
  return "/";
}

/** "/a/b" -> "/a/b", "/a", "": in a container the group's own path may be seen as the root alone. */
function foldersUp(path: string): string[] {
  const parts = path.split("/").filter(Boolean);
  return Array.from({ length: parts.length + 1 }, (_, i) =>
    parts
      .slice(0, parts.length - i)
      .map((p) => `/${p}`)
      .join(""),
  );
}

function kilobytes(files: MachineFiles, name: string): number | undefined {
  const value = /^(\d+) kB$/.exec(files.field("proc/meminfo", name) ?? "")?.[1];
  return value === undefined ? undefined : Number(value) * 1024;
}

/** "0-3,8" -> 5 */
function listLength(list: string | undefined): number | undefined {
  if (list === undefined || !/^\d+(-\d+)?(,\d+(-\d+)?)*$/.test(list)) return undefined;
  return list.split(",").reduce((count, range) => {
    const [from, to = from] = range.split("-").map(Number);
    return count + Math.max(0, to - from + 1);
  }, 0);
}
