// Why there is no GPU: every reason, with drivers and plug-ins that stand in for real ones. Each is looked at by a process
// of its own, because a plug-in that is open stays.
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { emulator, hasEmulator } from "../devices.js";
import { temporaryFolder } from "../temporary-folder.js";

const folder = temporaryFolder();
const source = (name: string) => path.join(import.meta.dirname, name);
const root = path.resolve(import.meta.dirname, "..", "..");

const hasCompiler = (() => {
  try {
    execFileSync("c++", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    console.log("skipped: tests of missing GPUs need the compiler c++");
    return false;
  }
})();

/** Compiles a stand-in; returns its file. */
function compile(kind: "driver" | "plugin", values: Record<string, number>): string {
  const name = Object.entries(values).flat().join("-");
  const place = path.join(folder, `${kind}-${name}`);
  mkdirSync(place, { recursive: true });
  const file = path.join(place, kind === "driver" ? "libcuda.so.1" : "libvideomae_cuda.so");
  const defines = Object.entries(values).map(([key, value]) => `-D${key}=${value}`);
  const language = kind === "driver" ? ["-x", "c", source("fake-driver.c")] : ["-std=c++17", source("fake-plugin.cpp")];
  execFileSync("c++", ["-shared", "-fPIC", `-I${path.join(root, "native")}`, ...defines, ...language, "-o", file]);
  return file;
}

const driver = (values: Record<string, number> = {}) =>
  path.dirname(compile("driver", { STATUS: 0, VERSION: 13000, COUNT: 1, CAPABILITY: 90, ...values }));
const plugin = (values: Record<string, number> = {}) => compile("plugin", { NEWER: 0, DEVICES: 0, ...values });

/** What a script prints in a process that sees this plug-in and, first of all drivers, this one. */
function inProcess(script: string, env: Record<string, string>): string {
  const argv = ["--input-type=module", "-e", `import * as v from "videomae"; ${script}`];
  return execFileSync(process.execPath, argv, { env: { ...process.env, ...env }, cwd: root, encoding: "utf8" }).trim();
}

const whyNot = (file: string, driverFolder = "") =>
  inProcess("console.log(v.devices().noGpu?.message)", {
    VIDEOMAE_CUDA_PLUGIN: file,
    LD_LIBRARY_PATH: driverFolder,
  });

describe.skipIf(!hasCompiler)("there is no GPU because", () => {
  it("there is no plug-in", () => {
    expect(whyNot("/nowhere/libvideomae_cuda.so", driver())).toBe(
      "cuda: expected the plug-in libvideomae_cuda.so; got no such file /nowhere/libvideomae_cuda.so. Hint: install the package's prebuilt binaries, or put nvcc of CUDA 13 on PATH and build with npx videomae build-native",
    );
  });

  it("there is neither plug-in nor a GPU", () => {
    expect(whyNot("/nowhere.so", driver({ STATUS: 100 }))).toContain(
      "got no such file /nowhere.so, and a driver without a visible GPU",
    );
  });

  it.each([
    [{ VERSION: 12040 }, "a driver for CUDA 12.4, too old for CUDA 13. Hint: install driver 580 or newer"],
    [{ STATUS: 999 }, "a driver that does not start (cuInit: error 999). Hint: see whether nvidia-smi works"],
    [{ STATUS: 100 }, "a driver without a visible GPU. Hint: see nvidia-smi and CUDA_VISIBLE_DEVICES"],
    [{ COUNT: 0 }, "a driver without a visible GPU"],
    [{ CAPABILITY: 75, COUNT: 2 }, "GPUs of capability 7.5, 7.5. Hint: use the CPU"],
  ])("the driver is one with %j", (values, reason) => {
    const message = whyNot(plugin(), driver(values as Record<string, number>));
    expect(message).toContain(
      `cuda: expected an NVIDIA GPU of capability 8.0 or more and driver 580 or newer; got ${reason}`,
    );
  });

  it("there is no driver", () => {
    const message = whyNot(plugin());
    if (!message.includes("no driver (")) console.log(`a driver is installed here: ${message}`);
    else expect(message).toMatch(/got no driver \(libcuda\.so\.1: .*\)\. Hint: install NVIDIA's driver, or start/);
  });

  it("the plug-in is of another version", () => {
    expect(whyNot(plugin({ NEWER: 1 }), driver())).toMatch(
      /cuda: expected a plug-in of interface version (\d+); got version \d+ in .*\. Hint: the addon and its plug-in come from different releases/,
    );
  });

  it("the file is not a plug-in", () => {
    const file = path.join(folder, "text.so");
    writeFileSync(file, "not a library");
    expect(whyNot(file, driver())).toContain(`expected a plug-in that can be opened as ${file}; got `);
    expect(whyNot(path.join(driver(), "libcuda.so.1"), driver())).toContain("a library without videomae_plugin");
  });

  it("the plug-in fails", () => {
    expect(whyNot(plugin(), driver())).toBe(
      "cudaGetDeviceCount: expected a GPU that works; got error 3. Hint: restart it",
    );
  });

  it("but a library of matrix products is told with its version and its place", () => {
    const env = { VIDEOMAE_CUDA_PLUGIN: plugin({ DEVICES: 2 }), LD_LIBRARY_PATH: driver() };
    expect(JSON.parse(inProcess('console.log(JSON.stringify(v.matrixLibrary("cuda")))', env))).toEqual({
      name: "cuBLASLt 13.1.1",
      file: "/usr/lib/libcublasLt.so.13",
    });
  });

  it("none has that number, and nothing is opened before it is asked for", () => {
    const env = { VIDEOMAE_CUDA_PLUGIN: plugin({ DEVICES: 2 }), LD_LIBRARY_PATH: driver() };
    const script = `
      import { readFileSync } from "node:fs";
      const opened = () => /fake|libvideomae_cuda|libcuda/.test(readFileSync("/proc/self/maps", "utf8"));
      v.Tensor.zeros([3]).dispose();
      const before = opened();
      try { v.Tensor.zeros([3], "f32", "cuda:2"); } catch (error) { console.log(before, opened(), error.message); }`;
    expect(inProcess(script, env)).toBe(
      "false true device: expected one of 2 devices, the last of which is cuda:1; got cuda:2",
    );
  });
});

describe.skipIf(!hasEmulator)("several devices", () => {
  it("are told apart", () => {
    const script = `
      const [a, b] = [v.Tensor.fromArray([1], [1], "f32", "cuda"), v.Tensor.fromArray([2], [1], "f32", "cuda:1")];
      const moved = a.to("cuda:1");
      let mixed;
      try { v.nativeOp("accumulate", { y: b, x: a }); } catch (error) { mixed = error.message; }
      const names = v.devices().devices.map(({ device }) => device);
      const live = ["cuda:0", "cuda:1"].map((device) => v.memory(device).live);
      console.log(JSON.stringify([a.device, moved.device, moved.readSync()[0], names, live, mixed]));`;
    const env = { VIDEOMAE_CUDA_PLUGIN: emulator, VIDEOMAE_EMU_DEVICES: "2" };
    const mixed = "accumulate: expected x on cuda:1, where y is; got cuda:0. Hint: make it on the same device";
    const names = ["cpu", "cuda:0", "cuda:1"];
    expect(JSON.parse(inProcess(script, env))).toEqual(["cuda:0", "cuda:1", 1, names, [256, 512], mixed]);
  });

  it("that fail inside the plug-in throw here", () => {
    const script = `try { v.Tensor.zeros([3], "f32", "emu"); } catch (error) { console.log(error.message); }`;
    expect(inProcess(script, { VIDEOMAE_EMU_STREAMS: "never" })).toBe(
      "VIDEOMAE_EMU_STREAMS: expected late or early; got never",
    );
  });

  it("that have little memory say so, and go on", () => {
    const script = `
      const held = v.Tensor.zeros([500000], "u8", "emu");
      v.Tensor.zeros([300000], "u8", "emu").dispose();
      let told;
      try { v.Tensor.zeros([700000], "u8", "emu"); } catch (error) { told = error.message; }
      v.Tensor.zeros([400000], "u8", "emu").dispose();
      console.log(told);`;
    expect(inProcess(script, { VIDEOMAE_EMU_MEMORY: "1000000" })).toBe(
      "allocate: expected 1 MiB of memory on emu; got none (1 MiB live, 1 MiB cached and given back). Hint: use a smaller batch size or model, or dispose of tensors that are no longer needed",
    );
  });
});
