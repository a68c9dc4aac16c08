// What a run on a lent GPU brought back, taken home: measured rows and observed mappings, nothing else.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, it } from "vitest";
import { readRows } from "#lib/bench/row.js";
import { collect } from "../../bench/gpu/collect.js";
import { completeRow } from "../../bench/gpu/measured.js";

import { temporaryFolder } from "../temporary-folder.js";

const folder = temporaryFolder();
const reading = { name: "NVIDIA H100 80GB HBM3", driver: "580.159.04", clockSmMhz: 1980 } as never;

function brought(name: string, rows: object[]): string {
  const out = path.join(folder, name);
  mkdirSync(out);
  writeFileSync(path.join(out, "rows.jsonl"), rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  return out;
}

const probe = completeRow({ bench: "probe", probe: "mma_sync", verdict: "as expected", cases: 256, ms: 3.5 }, reading);
const ceiling = completeRow({ bench: "ceiling", name: "copy kernel", value: 2950, unit: "GB/s", repeats: 9 }, reading);
const story = { stage: "probes", at: "2026-01-02T03:04:05.678Z", gpu: reading };

it("keeps measurements, as rows of the house, in a file of their own", () => {
  const target = path.join(folder, "home");
  const rows = [
    { bench: "run", budget: 480, ...story },
    { ...probe, ...story },
    { ...ceiling, ...story },
    { bench: "golden", probe: "mma_sync", text: "# mma_sync\n0: 8*256\n", ...story },
    { bench: "command", command: "x", reason: "exit status 1", ...story },
    { bench: "stage", stage: "probes", status: "ok" },
  ];
  const out = brought("good", rows);
  const [golden, results] = collect(out, target);
  expect(readFileSync(golden, "utf8")).toBe("# mma_sync\n0: 8*256\n");
  expect(golden).toBe(path.join(target, "native/cuda/probe/golden/mma_sync.txt"));
  expect(path.basename(results)).toMatch(/^\d{4}-\d\d-\d\d-nvidia-h100-80gb-hbm3-bundle\.jsonl$/);
  const kept = readRows(results);
  expect(kept).toHaveLength(2);
  expect(kept[0]).toMatchObject({
    bench: "probe",
    name: "mma_sync",
    verdict: "as expected",
    device: "cuda",
    machine: { name: "NVIDIA H100 80GB HBM3", driver: "580.159.04" },
  });
  expect(collect(out, target)[1]).toBe(results.replace(".jsonl", "-2.jsonl"));
});

it("refuses a row that is none, naming its line", () => {
  const out = brought("bad", [
    { ...probe, ...story },
    { ...ceiling, ...story, value: -1 },
  ]);
  expect(() => collect(out, path.join(folder, "nowhere"))).toThrow(/rows\.jsonl:2 value/);
});

it("leaves complete rows as they are", () => {
  const row = { bench: "ceiling", machine: { name: "x" } };
  expect(completeRow(row, reading)).toBe(row);
  expect(completeRow({ bench: "step" }, reading)).toEqual({ bench: "step" });
});

it("counts a machine without a GPU as no measurement", () => {
  const detail = "cudaErrorNoDevice: no CUDA-capable device is detected";
  const row = completeRow({ bench: "probe", verdict: "no usable GPU", detail }, undefined);
  expect(row).toEqual({ bench: "unavailable", what: "a GPU", reason: detail });
  const failed = completeRow({ bench: "ceiling", error: detail }, undefined);
  expect(collect(brought("none", [row, failed]), path.join(folder, "no-gpu"))).toHaveLength(1);
});
