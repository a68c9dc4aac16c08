// What follows from measurements of kernels: what is chosen, what is kept of earlier ones, and how it is shown.
import { mkdtempSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { KernelMeasurement } from "#lib/addon/binding.js";
import { kernelReport, measuredWorks, storeKernels } from "#lib/bench/kernel-report.js";
import { choicesOf, findKernelTable, kernelTableFile } from "#lib/tensor/kernel-table.js";
import { temporaryFolder } from "../temporary-folder.js";

const folder = temporaryFolder();
const before = { ...process.env };
beforeEach(() => {
  process.env.VIDEOMAE_CACHE = mkdtempSync(path.join(folder, "cache-"));
});
afterEach(() => {
  process.env.VIDEOMAE_CACHE = before.VIDEOMAE_CACHE;
  if (before.VIDEOMAE_CACHE === undefined) delete process.env.VIDEOMAE_CACHE;
});

const measured = (work: string, variant: string, variantMs: number, more: Partial<KernelMeasurement> = {}) => ({
  ...{ work, op: "linear", standard: "mma", variant, standardMs: 2, variantMs },
  ...{ difference: 0.001, largest: 0.01, failure: "", faster: variantMs < 2, ...more },
});
const measurements: KernelMeasurement[] = [
  measured("gemm nt 1 2 3", "a", 1.8),
  measured("gemm nt 1 2 3", "b", 1),
  measured("gemm nt 1 2 3", "c", 1.5),
  measured("gemm nt 4 5 6", "a", 1.99, { faster: false }),
  measured("gemm nt 7 8 9", "a", 0, { failure: "relative difference 0.5", faster: false, standardMs: 0 }),
];
const gpu = { name: "NVIDIA H100", software: "CUDA 13.0" };

it("the fastest of those that were faster every time is chosen", () => {
  const works = measuredWorks(measurements);
  expect(Object.values(works).map(({ chosen }) => chosen)).toEqual(["b", "mma", "mma"]);
  expect(Object.keys(works["gemm nt 1 2 3"].variants)).toEqual(["a", "b", "c"]);
});

it("the report shows the best, and what does not agree", () => {
  expect(kernelReport(measuredWorks(measurements))).toBe(
    [
      "work               in  default    us  best other    us  ratio   agree  chosen",
      "gemm nt 1 2 3  linear      mma  2000           b  1000   0.50  3 of 3       b",
      "gemm nt 4 5 6  linear      mma  2000           a  1990   0.99  1 of 1     mma",
      "gemm nt 7 8 9  linear      mma                                 0 of 1     mma",
      "gemm nt 7 8 9: a: relative difference 0.5",
    ].join("\n"),
  );
});

it("measurements are added to those that are there", () => {
  const works = measuredWorks(measurements);
  expect(storeKernels(gpu, works).dropped).toBeUndefined();
  const again = measuredWorks([measured("gemm nt 1 2 3", "a", 3), measured("gemm nn 1 1 1", "a", 1)]);
  const { table, file, dropped } = storeKernels(gpu, again);
  expect(dropped).toBeUndefined();
  expect(file).toBe(kernelTableFile("NVIDIA H100"));
  expect(Object.keys(table.works)).toEqual(["gemm nt 1 2 3", "gemm nt 4 5 6", "gemm nt 7 8 9", "gemm nn 1 1 1"]);
  expect(choicesOf(table)).toEqual([["gemm nn 1 1 1", "a"]]);
  expect(findKernelTable("NVIDIA H100")).toEqual({ file, state: "used", table });
});

it("those of another driver, version or machine are left out, and it is said", () => {
  const works = measuredWorks(measurements);
  const { file, table } = storeKernels(gpu, works);
  const newer = storeKernels({ ...gpu, software: "CUDA 14.0" }, {});
  expect(newer.dropped).toBe("software was CUDA 13.0, and is CUDA 14.0");
  expect(newer.table.works).toEqual({});
  writeFileSync(file, JSON.stringify({ ...table, package: "0.0.1" }));
  expect(findKernelTable("NVIDIA H100")).toMatchObject({
    state: "outdated",
    reason: expect.stringContaining("measured by version 0.0.1"),
  });
  expect(storeKernels(gpu, {}).dropped).toMatch(/^package was 0\.0\.1, and is \d/);
});
