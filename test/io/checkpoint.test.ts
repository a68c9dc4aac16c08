import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { VideomaeError } from "#lib/errors.js";
import { CHECKPOINT_VERSION, type CheckpointContent, openCheckpoint, writeCheckpoint } from "#lib/io/checkpoint.js";
import { checkpointPath, latestCheckpoint, listCheckpoints, retainCheckpoints } from "#lib/io/checkpoint-folder.js";
import { DamagedFileError } from "#lib/io/damaged-file.js";
import { writeSafetensors } from "#lib/io/safetensors.js";
import { temporaryFolder } from "../temporary-folder.js";

const folder = temporaryFolder();
const tensor = (name: string, ...values: number[]) => ({
  name,
  shape: [values.length],
  data: new Float32Array(values),
});
const content: CheckpointContent = {
  state: { step: 12, epoch: 1, seed: 3, config: { model: "vit-tiny", betas: [0.9, 0.95] }, skipped: [4] },
  model: [tensor("mask_token", 1, 2), tensor("encoder.norm.bias", 3)],
  expAvg: [tensor("mask_token", 0.1, 0.2), tensor("encoder.norm.bias", 0.3)],
  expAvgSq: [tensor("mask_token", 0.01, 0.02), tensor("encoder.norm.bias", 0.03)],
};

test("state and tensors come back", () => {
  const path = checkpointPath(folder, 12);
  writeCheckpoint(path, content);
  using checkpoint = openCheckpoint(path);
  expect(checkpoint.state).toMatchObject({
    ...content.state,
    format: "videomae-checkpoint",
    version: CHECKPOINT_VERSION,
  });
  for (const part of ["model", "expAvg", "expAvgSq"] as const) {
    expect(checkpoint.names(part)).toEqual(["mask_token", "encoder.norm.bias"]);
    expect(checkpoint.names(part).map((name) => checkpoint.read(part, name))).toEqual([...content[part]]);
  }
  expect(checkpoint.has("model", "head")).toBe(false);
  expect(() => checkpoint.read("model", "mask_tokn")).toThrow(/did you mean "model.mask_token"/);
});

test("equal content makes equal bytes", () => {
  const paths = ["x", "y"].map((name) => join(folder, name));
  for (const path of paths) writeCheckpoint(path, content);
  expect(readFileSync(paths[0])).toEqual(readFileSync(paths[1]));
});

test("one changed bit in data, state or a name is found", () => {
  const path = join(folder, "damaged");
  writeCheckpoint(path, content);
  const good = readFileSync(path);
  const places = [good.length - 1, good.length - 20, good.indexOf("vit-tiny"), good.indexOf("model.mask_token") + 8];
  for (const at of places) {
    const bad = Buffer.from(good);
    bad[at] ^= 1;
    writeFileSync(path, bad);
    expect(() => openCheckpoint(path), String(at)).toThrow(/sha256.*earlier checkpoint/);
  }
  openCheckpoint(path, { verify: false }).close();
});

test("plain weights, another version and broken state are refused", () => {
  const path = join(folder, "weights");
  const weights = [{ ...tensor("model.x", 1), dtype: "F32" as const }];
  writeSafetensors(path, weights);
  expect(() => openCheckpoint(path)).toThrow(/without a run state.*plain weights/);
  const state = { format: "videomae-checkpoint", version: CHECKPOINT_VERSION, step: 1, epoch: 0, seed: 0 };
  const refused = (text: string, message: RegExp, damaged: boolean) => {
    writeSafetensors(path, weights, { videomae: text });
    expect(() => openCheckpoint(path)).toThrow(/none recorded/);
    const opening = () => openCheckpoint(path, { verify: false });
    expect(opening).toThrow(message);
    expect(opening).toThrow(damaged ? DamagedFileError : VideomaeError);
  };
  refused("{", /run state in JSON/, true);
  refused("null", /the format "videomae-checkpoint"/, true);
  refused(JSON.stringify({ ...state, version: 1 }), /version 2; got 1.*another version/, false);
  refused(JSON.stringify({ ...state, step: -1 }), /step: expected an integer/, false);
});

test("tensors whose places in the data are exchanged are found", () => {
  const path = join(folder, "exchanged");
  writeCheckpoint(path, { ...content, model: [tensor("a", 1, 2), tensor("b", 3, 4)], expAvg: [], expAvgSq: [] });
  const bytes = readFileSync(path).toString("latin1");
  const exchanged = bytes.replace("[0,8]", "[x]").replace("[8,16]", "[0,8]").replace("[x]", "[8,16]");
  writeFileSync(path, Buffer.from(exchanged, "latin1"));
  expect(() => openCheckpoint(path)).toThrow(/sha256/);
});

test("a state with a number that JSON cannot hold is refused before anything is written", () => {
  const path = join(folder, "never");
  expect(() => writeCheckpoint(path, { ...content, state: { ...content.state, best: Number.NaN } })).toThrow(
    /best.*NaN/,
  );
  expect(readdirSync(folder)).not.toContain("never");
});

test("checkpoints are ordered by step as a number, and only the newest are kept", () => {
  const run = join(folder, "run");
  expect(listCheckpoints(run)).toEqual([]);
  expect(latestCheckpoint(run)).toBeUndefined();
  mkdirSync(run);
  for (const step of [900, 1000, 20, 10000]) writeFileSync(checkpointPath(run, step), "");
  const others = [".checkpoint-99999.safetensors.1-0.tmp", "checkpoint-best.safetensors", "log.jsonl"];
  for (const name of others) writeFileSync(join(run, name), "");
  expect(listCheckpoints(run).map(({ step }) => step)).toEqual([20, 900, 1000, 10000]);
  expect(latestCheckpoint(run)).toEqual({ step: 10000, path: checkpointPath(run, 10000) });
  expect(retainCheckpoints(run, 2).map(({ step }) => step)).toEqual([20, 900]);
  expect(retainCheckpoints(run, Number.POSITIVE_INFINITY)).toEqual([]);
  expect(readdirSync(run).sort()).toEqual(
    [...others, "checkpoint-1000.safetensors", "checkpoint-10000.safetensors"].sort(),
  );
  expect(() => retainCheckpoints(run, 0)).toThrow(/at least 1/);
});
