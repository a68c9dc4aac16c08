// Tables of kernels: where they lie, when they are used, and what is said of those that are not. A device reads its table
// once in a process, so each is looked at by a process of its own.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { choicesOf, emptyKernelTable, kernelTableFile } from "#lib/tensor/kernel-table.js";
import { kernelsText } from "#lib/tensor/kernels.js";
import { hasEmulator } from "../devices.js";
import { temporaryFolder } from "../temporary-folder.js";

const folder = temporaryFolder();
const root = path.resolve(import.meta.dirname, "..", "..");
const gpu = "emulated GPU of capability 9.0";
const work = "gemm nt 70 72 40";

const table = (fields: object = {}) => ({
  ...emptyKernelTable(gpu, "the emulator"),
  works: { [work]: { op: "linear", standard: "mma", chosen: "mma-large", variants: {} } },
  ...fields,
});

/** A cache with this table in it. */
function cacheOf(content: object | string): string {
  const cache = mkdtempSync(path.join(folder, "cache-"));
  const text = typeof content === "string" ? content : JSON.stringify(content);
  writeFileSync(kernelTableFile(gpu, { VIDEOMAE_CACHE: cache }), text);
  return cache;
}

it("lie where the environment says, one for each GPU", () => {
  const name = "kernels-nvidia-h100-80gb-hbm3.json";
  const file = (env: NodeJS.ProcessEnv) => kernelTableFile("NVIDIA H100 80GB HBM3", env);
  expect(file({ VIDEOMAE_CACHE: "/a", XDG_CACHE_HOME: "/b" })).toBe(`/a/${name}`);
  expect(file({ XDG_CACHE_HOME: "/b" })).toBe(`/b/videomae/${name}`);
  expect(file({})).toBe(path.join(homedir(), ".cache", "videomae", name));
  expect(kernelTableFile("(A) 1", { VIDEOMAE_CACHE: "/a" })).toBe("/a/kernels-a-1.json");
});

it("name what is chosen, and not what is taken anyway", () => {
  const one = { op: "linear", standard: "mma", chosen: "mma", variants: {} };
  expect(choicesOf(table({ works: { a: one, b: { ...one, chosen: "wgmma" } } }))).toEqual([["b", "wgmma"]]);
});

it("are counted for readers of reports and rows", () => {
  expect(kernelsText({ a: "wgmma", b: "mma (default)", c: "mma (default)" })).toBe("1 of 3 chosen");
  expect(kernelsText({ a: "mma (default)" })).toBe("default");
});

describe.skipIf(!hasEmulator)("a device", () => {
  /** What a process with this cache says: the kernels that it used for a product, or its error. */
  function kernelsUsed(env: Record<string, string>): unknown {
    const script = `
      import { nativeOp, scope, Tensor, VideomaeError } from "videomae";
      import { kernelsFor, kernelsUsed } from "#lib/tensor/kernels.js";
      try {
        scope(() => {
          const x = Tensor.zeros([70, 40], "bf16", "emu"), weight = Tensor.zeros([72, 40], "bf16", "emu");
          nativeOp("linear", { x, weight }, ["preactivation"]);
        });
        const before = { "${work}": "mma (default)", "gemm nn 1 2 3": "wgmma" };
        console.log(JSON.stringify([kernelsUsed("emu")["${work}"], kernelsFor("emu", before)]));
      } catch (error) {
        if (!(error instanceof VideomaeError)) throw error;
        console.log(JSON.stringify(error.message));
      }`;
    const argv = ["--input-type=module", "-e", script];
    return JSON.parse(
      execFileSync(process.execPath, argv, { env: { ...process.env, ...env }, cwd: root, encoding: "utf8" }),
    );
  }
  const standard = [
    expect.stringMatching(/^\w+ \(default\)$/),
    { [work]: "mma (default)", "gemm nn 1 2 3": "the default" },
  ];

  it("computes by its table", () => {
    const next = { [work]: "mma-large", "gemm nn 1 2 3": "the default" };
    expect(kernelsUsed({ VIDEOMAE_CACHE: cacheOf(table()) })).toEqual(["mma-large", next]);
    const named = { VIDEOMAE_CACHE: path.join(folder, "none"), VIDEOMAE_CUDA_VARIANTS: "gemm=mma" };
    expect(kernelsUsed(named)).toEqual([expect.any(String), { [work]: "mma (default)", "gemm nn 1 2 3": "mma" }]);
  });

  it("and otherwise by its default kernels", () => {
    mkdirSync(path.join(folder, "empty"));
    expect(kernelsUsed({ VIDEOMAE_CACHE: path.join(folder, "empty") })).toEqual(standard);
    expect(kernelsUsed({ VIDEOMAE_CACHE: cacheOf(table()), VIDEOMAE_KERNELS: "off" })).toEqual(standard);
    expect(kernelsUsed({ VIDEOMAE_CACHE: cacheOf(table({ package: "0.0.1" })) })).toEqual(standard);
    expect(kernelsUsed({ VIDEOMAE_CACHE: cacheOf(table({ gpu: "another" })) })).toEqual(standard);
  });

  it.each([
    ["{", "JSON"],
    ["{}", "got something else"],
    ["null", "got something else"],
    [table({ date: 7 }), "got no date"],
    [table({ works: { a: {} } }), "got no choice for a"],
    [table({ works: { a: null } }), "got no choice for a"],
    [table({ works: { "gemm nt 1 2 3": { standard: "mma", chosen: "fast" } } }), "got fast"],
  ])("refuses %j, and says what to do", (content, reason) => {
    const cache = cacheOf(content as object | string);
    const message = kernelsUsed({ VIDEOMAE_CACHE: cache });
    expect(message).toContain(`${kernelTableFile(gpu, { VIDEOMAE_CACHE: cache })}: expected a table of kernels`);
    expect(message).toContain(reason);
    expect(message).toContain("Hint: measure again with videomae tune, or remove it with videomae tune --forget");
  });

  it("refuses a setting that is unknown", () => {
    expect(kernelsUsed({ VIDEOMAE_KERNELS: "on" })).toBe(
      "VIDEOMAE_KERNELS: expected off, or nothing; got on. Hint: unset it to use the table",
    );
  });
});
