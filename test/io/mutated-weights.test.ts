// Mutated files of every format: each is refused with an error of ours, or loads, and takes neither long nor much memory.
// `VIDEOMAE_MUTATIONS` sets how many of each format are tried (300). The readers are TypeScript throughout, so there is no
// native code to run under a sanitizer.

import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type StoredTensor, writeSafetensors } from "#lib/io/safetensors.js";
import { writeShardedSafetensors } from "#lib/io/sharded-tensors.js";
import { haveShared, sharedFolder } from "../fixtures.js";
import { runNode } from "../run-node.js";
import { temporaryFolder } from "../temporary-folder.js";
import { f32, f32Tensor, global, pushed, pytorchLegacy, pytorchZip, Raw } from "./pytorch-writer.js";

const mutants = Number(process.env.VIDEOMAE_MUTATIONS ?? 300);
const folder = temporaryFolder();

function seeds(name: string): string {
  const path = join(folder, name);
  mkdirSync(path);
  return path;
}

const tensors: StoredTensor[] = [
  { name: "blocks.0.weight", dtype: "F32", shape: [2, 3], data: Float32Array.from([1, 2, 3, 4, 5, 6]) },
  { name: "blocks.0.bias", dtype: "F16", shape: [3], data: Uint16Array.from([1, 2, 3]) },
  { name: "position_ids", dtype: "I64", shape: [1, 2], data: BigInt64Array.from([0n, 1n]) },
  { name: "flag", dtype: "BOOL", shape: [], data: Uint8Array.from([1]) },
  { name: "empty", dtype: "F32", shape: [0, 4], data: new Float32Array(0) },
];

const args = new Raw(
  Buffer.concat([
    global("argparse", "Namespace"),
    Buffer.from(")\x81", "latin1"),
    pushed(
      new Map<string, unknown>([
        ["lr", 0.5],
        ["betas", [0.9, 0.95]],
        ["name", "vit"],
      ]),
    ),
    Buffer.from("b"),
  ]),
);
const state = new Map<string, unknown>([
  ["a", f32Tensor("0", [2, 3])],
  ["transposed", { ...f32Tensor("0", [6]), shape: [3, 2], strides: [1, 3] }],
  ["b", { ...f32Tensor("1", [4]), storage: "HalfStorage", shape: [2], strides: [2] }],
]);
const checkpoint = new Map<string, unknown>([
  ["model", state],
  ["epoch", 3],
  ["args", args],
]);
const [six, four] = [f32(1, 2, 3, 4, 5, 6), new Uint8Array(8).fill(60)];

async function campaign(place: string) {
  const run = await runNode("io/mutate-weights.mjs", { args: [place, String(mutants), "1"], timeout: 3_600_000 });
  const row = JSON.parse(run.stdout.trim().split("\n").at(-1) || "{}");
  console.log(`${place.slice(folder.length + 1)}: ${run.stdout.trim()}`);
  expect(run.status, run.stderr + run.stdout).toBe(0);
  expect(row).toMatchObject({ mutants, failures: [] });
  expect(row.refused).toBeGreaterThan(mutants / 10);
  expect(row.slowest_ms).toBeLessThan(5000);
  expect(row.growth_mb).toBeLessThan(200);
  return row;
}

const limit = 120_000 + mutants * 100;

test("safetensors", { timeout: limit }, async () => {
  const place = seeds("safetensors");
  writeSafetensors(join(place, "one.safetensors"), tensors, { format: "pt" });
  await campaign(place);
});

test("safetensors in several files", { timeout: limit }, async () => {
  const place = seeds("several");
  mkdirSync(join(place, "model"));
  writeShardedSafetensors(join(place, "model"), tensors, { maxBytes: 30 });
  await campaign(place);
});

test("PyTorch zip files without checksums, so that every reader behind them is reached", {
  timeout: limit,
}, async () => {
  const place = seeds("zip");
  writeFileSync(
    join(place, "one.pth"),
    pytorchZip(checkpoint, { 0: six, 1: four }, { checksums: false, byteorder: "little" }),
  );
  await campaign(place);
});

test("PyTorch zip files with checksums never load with other numbers", { timeout: limit }, async () => {
  const place = seeds("zip-checked");
  writeFileSync(join(place, "one.pth"), pytorchZip(checkpoint, { 0: six, 1: four }, { byteorder: "little" }));
  if (haveShared) copyFileSync(join(sharedFolder, "fixtures/checkpoint_official.pth"), join(place, "official.pth"));
  expect((await campaign(place)).altered).toBe(0);
});

test("PyTorch files of the format before 1.6", { timeout: limit }, async () => {
  const place = seeds("legacy");
  const storages = { 0: { elements: 6, bytes: six }, 1: { elements: 4, bytes: four } };
  writeFileSync(join(place, "one.pth"), pytorchLegacy(checkpoint, storages));
  await campaign(place);
});
