// Each finding on machines that have, lack or limit what it is about.
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { examineAddon } from "#lib/doctor/addon.js";
import {
  examineKernels,
  examineLibc,
  examineMemory,
  examineNode,
  examineProcessor,
  examineThreads,
} from "#lib/doctor/compute.js";
import { examineDisk } from "#lib/doctor/disk.js";
import { examineMachine } from "#lib/doctor/examine.js";
import type { Finding } from "#lib/doctor/finding.js";
import { examineKernelTable, findGpuTable } from "#lib/doctor/gpu-kernels.js";
import { examineGpus, examineMatrixLibrary, findMatrixLibrary } from "#lib/doctor/gpus.js";
import { examineDecoders } from "#lib/doctor/video.js";
import { VideomaeError } from "#lib/errors.js";
import { MachineFiles } from "#lib/machine/machine-files.js";
import { emptyKernelTable } from "#lib/tensor/kernel-table.js";
import { makeClips } from "../../examples/make-clips.js";
import { hasEmulator } from "../devices.js";
import { temporaryFolder } from "../temporary-folder.js";

const folder = temporaryFolder();
const clips = path.join(folder, "clips");

beforeAll(async () => {
  await makeClips(clips, { count: 4, frames: 16 });
});

/** What is not ok has one cause and one fix. */
function isComplete({ status, cause, fix }: Finding): boolean {
  return status === "ok" ? cause === undefined && fix === undefined : Boolean(cause) && Boolean(fix);
}

const wide = { model: "A", architecture: "x64", features: ["avx2", "fma", "bmi2"] };
const nothing = {
  ...{ memory: undefined, available: undefined, groupMemory: undefined, groupUsed: undefined },
  ...{ processors: undefined, affinity: undefined, groupProcessors: undefined },
};

describe("findings", () => {
  it.each<[string, Finding, Finding["status"], RegExp]>([
    ["x86-64", examineProcessor(wide), "ok", /^A \(x64\): avx2/],
    ["another processor", examineProcessor({ ...wide, architecture: "arm64" }), "warning", /arm64/],
    ["the widest kernels", examineKernels(wide, { instructionSet: "avx2", threads: 1 }, ""), "ok", /^avx2/],
    [
      "narrow kernels asked for",
      examineKernels(wide, { instructionSet: "portable", threads: 1 }, "portable"),
      "warning",
      /portable/,
    ],
    [
      "an old processor",
      examineKernels({ ...wide, features: [] }, { instructionSet: "portable", threads: 1 }, ""),
      "warning",
      /portable/,
    ],
    [
      "a set that is not there",
      examineKernels(wide, { failed: "VIDEOMAE_ISA: expected one of portable" }, "x"),
      "problem",
      /none/,
    ],
    ["no binary", examineKernels(wide, undefined, ""), "problem", /none/],
    [
      "enough processors",
      examineThreads({ ...nothing, affinity: 2, processors: 4 }, { instructionSet: "avx2", threads: 2 }),
      "ok",
      /2 for kernels; 4 processors/,
    ],
    [
      "a quota",
      examineThreads({ ...nothing, affinity: 8, groupProcessors: 1.5 }, { instructionSet: "avx2", threads: 8 }),
      "warning",
      /allow 1\.5/,
    ],
    [
      "a machine that says nothing of processors",
      examineThreads(nothing, { instructionSet: "avx2", threads: 8 }),
      "ok",
      /unknown processors/,
    ],
    ["no kernels", examineThreads(nothing, undefined), "ok", /unknown for kernels/],
    ["memory", examineMemory({ ...nothing, memory: 16e9, available: 8e9 }), "ok", /16\.0 GB, 8\.0 GB free; no limit/],
    [
      "a tight group",
      examineMemory({ ...nothing, memory: 16e9, available: 8e9, groupMemory: 2e9, groupUsed: 1e9 }),
      "warning",
      /allow 2\.0 GB/,
    ],
    ["a machine that says nothing of memory", examineMemory(nothing), "ok", /unknown/],
    ["this Node", examineNode(), "ok", /^\d+/],
    ["an old Node", examineNode("18.20.1"), "problem", /18/],
    ["a Node just too old", examineNode("20.18.3"), "problem", /20\.18/],
    ["an old C library", examineLibc("2.31"), "warning", /2\.31/],
    ["another C library", examineLibc(""), "warning", /glibc/],
    [
      "both decoders",
      examineDecoders([
        { name: "node-av", version: "6.1.1" },
        { name: "ffmpeg", version: "5" },
      ]),
      "ok",
      /^node-av \(node-av 6\.1\.1, ffmpeg 5\)/,
    ],
    [
      "ffmpeg alone",
      examineDecoders([
        { name: "node-av", missing: "not installed" },
        { name: "ffmpeg", version: "5" },
      ]),
      "warning",
      /^ffmpeg/,
    ],
    ["another node-av", examineDecoders([{ name: "node-av", version: "5.0.0" }]), "warning", /5\.0\.0/],
    [
      "no decoder",
      examineDecoders([
        { name: "node-av", missing: "not installed" },
        { name: "ffmpeg", missing: "ENOENT" },
      ]),
      "problem",
      /none/,
    ],
    ["no such data", examineDisk(path.join(folder, "none"), 1, 0.1), "problem", /not measured/],
  ])("%s", (_, finding, status, found) => {
    expect([finding.status, isComplete(finding)]).toEqual([status, true]);
    expect(finding.found).toMatch(found);
  });
});

describe("native binary", () => {
  it("is found where it is", () => {
    expect(examineAddon()).toMatchObject({
      status: "ok",
      found: expect.stringMatching(/\.node, (built on this|prebuilt)/),
    });
  });

  it("is told of with every place and reason when it is not there", () => {
    const root = mkdtempSync(path.join(folder, "package-"));
    expect(examineAddon(root).cause).toMatch(/build\/Release: nothing was built.*; prebuilds\/\S+: this copy/);
    mkdirSync(path.join(root, "build/Release"), { recursive: true });
    writeFileSync(path.join(root, "build/Release/videomae.node"), "not a library");
    const finding = examineAddon(root);
    expect([finding.status, isComplete(finding)]).toEqual(["problem", true]);
    expect(finding.cause).toMatch(/build\/Release\/videomae\.node: it is damaged.* \(.+\); /);
  });
});

describe("gpus", () => {
  const withFiles = (files: Record<string, string>) => {
    const root = mkdtempSync(path.join(folder, "gpu-"));
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(path.join(root, path.dirname(name)), { recursive: true });
      writeFileSync(path.join(root, name), text);
    }
    const parts = { op: "cuda", expected: "a GPU", got: "a driver too old", hint: "install a newer one" };
    return examineGpus({ devices: [{ device: "cpu" }], noGpu: new VideomaeError(parts) }, new MachineFiles(root), "");
  };

  it("are described where they can be used", () => {
    const gpu = { device: "cuda:0", name: "NVIDIA H100", capability: 9, memory: 80 * 2 ** 30 } as const;
    const { status, found } = examineGpus({ devices: [{ device: "cpu" }, gpu] }, new MachineFiles(folder), "");
    expect([status, found]).toEqual(["ok", "cuda:0 NVIDIA H100 (capability 9.0, 80 GiB)"]);
  });

  it("are not used, and it is said why", () => {
    expect(withFiles({})).toMatchObject({ status: "ok", found: expect.stringContaining("runs use the CPU") });
    const finding = withFiles({
      "proc/driver/nvidia/version": "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.65.06  Sun\nGCC version: 12",
      "proc/driver/nvidia/gpus/0000:01:00.0/information": "Model: \t\t NVIDIA H100\nIRQ: 1",
      "dev/nvidia0": "",
      "dev/nvidiactl": "",
      "usr/lib64/libcuda.so.1": "",
    });
    expect(finding).toMatchObject({
      status: "warning",
      cause: "no GPU can be used: a driver too old",
      fix: "install a newer one",
    });
    expect(finding.found).toBe("driver 580.65.06, 1 devices (NVIDIA H100), libcuda in usr/lib64");
    expect(withFiles({ "usr/lib64/libcuda.so": "" }).found).toBe("no driver loaded, no device, libcuda in usr/lib64");
  });
});

describe("the matrix library", () => {
  it("is named where it is found, and not needed without a GPU", async () => {
    const library = { name: "cuBLASLt 13.1.1", file: "/usr/lib/libcublasLt.so.13" };
    const { status, found } = examineMatrixLibrary(library, undefined);
    expect([status, found]).toEqual(["ok", "cuBLASLt 13.1.1, /usr/lib/libcublasLt.so.13"]);
    const none = await findMatrixLibrary({ devices: [{ device: "cpu" }] });
    expect(examineMatrixLibrary(none)).toMatchObject({ status: "ok", found: "not needed without a GPU" });
  });

  it("is missed, and it is said why", () => {
    const missing = examineMatrixLibrary({ name: "none", reason: "no cuBLASLt: no such file" }, undefined);
    expect(missing).toMatchObject({ status: "warning", cause: "no cuBLASLt: no such file" });
    expect(missing.fix).toContain("install cuBLAS 13");
    const refused = examineMatrixLibrary({ failed: "cuBLASLt: expected the library" }, "/nowhere");
    expect(refused).toMatchObject({ cause: "cuBLASLt: expected the library", fix: "unset VIDEOMAE_CUBLASLT" });
  });

  it.skipIf(!hasEmulator)("is asked for by way of the plug-in", async () => {
    expect(await findMatrixLibrary({ devices: [{ device: "cpu" }, { device: "emu" }] })).toEqual({
      name: "none",
      reason: "the emulator does without",
    });
  });
});

describe("the kernel table", () => {
  const table = {
    ...emptyKernelTable("NVIDIA H100", "CUDA 13.0"),
    date: "2026-12-01T10:00:00Z",
    works: {
      a: { op: "linear", standard: "mma", chosen: "wgmma", variants: {} },
      b: { op: "linear", standard: "mma", chosen: "mma", variants: {} },
    },
  };

  it("is told with its date and how much it chooses", () => {
    const finding = examineKernelTable({ file: "/c/kernels.json", state: "used", table });
    expect([finding.status, finding.found]).toEqual([
      "ok",
      "of 2026-12-01T10:00:00Z: 1 of 2 pieces of work by another kernel than the default; /c/kernels.json",
    ]);
  });

  it.each<[Parameters<typeof examineKernelTable>[0], Finding["status"], RegExp]>([
    [undefined, "ok", /not needed without a GPU/],
    [{ file: "f", state: "none" }, "ok", /^none: videomae tune measures/],
    [{ file: "f", state: "off" }, "ok", /VIDEOMAE_KERNELS=off/],
    [{ file: "f", state: "outdated", reason: "it was measured by version 0" }, "warning", /not used/],
    [{ failed: "f: expected a table" }, "problem", /cannot be used/],
  ])("of %j", (found, status, text) => {
    const finding = examineKernelTable(found);
    expect([finding.status, isComplete(finding)]).toEqual([status, true]);
    expect(finding.found).toMatch(text);
  });

  it("is looked for by the name of the first GPU", () => {
    expect(findGpuTable(undefined)).toBeUndefined();
    expect(findGpuTable({ devices: [{ device: "cpu" }] })).toBeUndefined();
    const found = findGpuTable({ devices: [{ device: "cpu" }, { device: "cuda:0", name: "No Such GPU" }] });
    expect(found).toMatchObject({ state: "none", file: expect.stringMatching(/kernels-no-such-gpu\.json$/) });
  });
});

describe("data disk", () => {
  it("is measured within its time", () => {
    const start = performance.now();
    const { details, found } = examineDisk(clips, 1, 0.2);
    expect(performance.now() - start).toBeLessThan(5000);
    expect(found).toMatch(/MB\/s in large pieces, \d+ files\/s of \d+\.\d\d MB: enough for \d+ clips\/s/);
    expect(details).toMatchObject({ files: 4 });
    for (const key of ["bytesPerSecond", "filesPerSecond", "meanFileBytes"]) expect(details[key]).toBeGreaterThan(0);
  });

  it("that is too slow for the processors is a warning", () => {
    expect(examineDisk(clips, 1e9, 0.1)).toMatchObject({ status: "warning", fix: expect.stringContaining("--views") });
  });
});

it("this machine", async () => {
  const findings = await examineMachine({ data: clips });
  expect(findings.map(({ check }) => check)).toEqual([
    ...["node", "c library", "native binary", "processor", "kernels", "threads", "memory", "video decoder", "sharp"],
    ...["gpus", "matrix library", "kernel table", "data disk"],
  ]);
  for (const finding of findings) expect([finding.check, isComplete(finding)]).toEqual([finding.check, true]);
});
