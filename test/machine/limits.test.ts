// Machines put together in a folder: what is read of them, and what is missing.
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { machineLimits, memoryLimit, processorLimit } from "#lib/machine/limits.js";
import { MachineFiles } from "#lib/machine/machine-files.js";
import { processor, widestSet } from "#lib/machine/processor.js";
import { temporaryFolder } from "../temporary-folder.js";

const folder = temporaryFolder();

function machine(files: Record<string, string>): MachineFiles {
  const root = mkdtempSync(path.join(folder, "m-"));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(path.join(root, path.dirname(name)), { recursive: true });
    writeFileSync(path.join(root, name), text);
  }
  return new MachineFiles(root);
}

const plain = {
  "proc/meminfo": "MemTotal:       16000000 kB\nMemAvailable:    8000000 kB\n",
  "sys/devices/system/cpu/online": "0-7\n",
  "proc/self/status": "Name:\tnode\nCpus_allowed_list:\t0-3,6\n",
};

describe("limits", () => {
  it("of a machine without control groups", () => {
    const limits = machineLimits(machine(plain));
    expect(limits).toEqual({
      ...{ memory: 16_384_000_000, available: 8_192_000_000, groupMemory: undefined, groupUsed: undefined },
      ...{ processors: 8, affinity: 5, groupProcessors: undefined },
    });
    expect([memoryLimit(limits), processorLimit(limits)]).toEqual([16_384_000_000, 5]);
  });

  it("by version 2 groups: the tightest on the way to the root", () => {
    const limits = machineLimits(
      machine({
        ...plain,
        "proc/self/cgroup": "0::/a/b\n",
        "sys/fs/cgroup/a/b/memory.max": "max\n",
        "sys/fs/cgroup/a/b/cpu.max": "max 100000\n",
        "sys/fs/cgroup/a/memory.max": "2000000000\n",
        "sys/fs/cgroup/a/memory.current": "500000000\n",
        "sys/fs/cgroup/a/cpu.max": "150000 100000\n",
        "sys/fs/cgroup/memory.max": "3000000000\n",
      }),
    );
    expect(limits).toMatchObject({ groupMemory: 2e9, groupUsed: 5e8, groupProcessors: 1.5 });
    expect([memoryLimit(limits), processorLimit(limits)]).toEqual([2e9, 1.5]);
  });

  it("of a container, whose own group looks like the root", () => {
    const files = { ...plain, "proc/self/cgroup": "0::/../..\n", "sys/fs/cgroup/memory.max": "1000000000\n" };
    expect(machineLimits(machine(files)).groupMemory).toBe(1e9);
    expect(machineLimits(machine({ ...files, "proc/self/cgroup": "0::/not/seen/here\n" })).groupMemory).toBe(1e9);
  });

  it("by version 1 groups", () => {
    const limits = machineLimits(
      machine({
        ...plain,
        "proc/self/cgroup": "5:memory:/x\n3:cpu,cpuacct:/x\n1:name=systemd:/\n",
        "sys/fs/cgroup/memory/x/memory.limit_in_bytes": "4000000000",
        "sys/fs/cgroup/memory/x/memory.usage_in_bytes": "1000",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712",
        "sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_quota_us": "250000",
        "sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_period_us": "100000",
        "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1",
      }),
    );
    expect(limits).toMatchObject({ groupMemory: 4e9, groupUsed: 1000, groupProcessors: 2.5 });
  });

  it("of a machine that says nothing, or nonsense", () => {
    const odd = { "proc/meminfo": "\u0000\u0001", "proc/self/cgroup": ":::\n7", "sys/fs/cgroup/cpu.max": "x y" };
    const nonsense = { ...odd, "proc/self/status": "Cpus_allowed_list: 3-\n", "sys/fs/cgroup/memory.max": "-1" };
    for (const files of [{}, nonsense]) {
      const limits = machineLimits(machine(files));
      expect(Object.values(limits).every((value) => value === undefined)).toBe(true);
      expect([memoryLimit(limits), processorLimit(limits)]).toEqual([undefined, undefined]);
    }
  });
});

describe("processor", () => {
  const flags = (list: string) =>
    processor(machine({ "proc/cpuinfo": `model name\t: A\nflags\t\t: ${list}\n` }), "x64");

  it("has a model and features", () => {
    expect(flags("fpu avx2 avx512f")).toEqual({ model: "A", architecture: "x64", features: ["avx2", "avx512f"] });
    expect(processor(machine({}), "arm64")).toEqual({ model: undefined, architecture: "arm64", features: [] });
  });

  it("allows a set of kernels", () => {
    expect(widestSet(flags("avx2 fma"))).toBe("portable");
    expect(widestSet(flags("avx2 fma bmi2 avx512f"))).toBe("avx2");
    const wide = "avx2 fma bmi2 avx512f avx512bw avx512cd avx512dq avx512vl";
    expect(widestSet(flags(wide))).toBe("avx512");
    expect(widestSet(flags(`${wide} amx_tile amx_bf16`))).toBe("avx512");
    expect(widestSet(flags(`${wide} avx512_bf16 amx_tile`))).toBe("avx512bf16");
    expect(widestSet(flags(`${wide} avx512_bf16 amx_tile amx_bf16`))).toBe("amx");
  });
});
