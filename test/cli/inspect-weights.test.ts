// `videomae inspect weights` as a user runs it.
import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { type StoredTensor, writeSafetensors } from "#lib/io/safetensors.js";
import { parameterShapes, resolvePretrainConfig } from "#lib/models/sizes.js";
import { haveShared, sharedFolder } from "../fixtures.js";
import { f32, f32Tensor, global, pushed, pytorchZip, Raw } from "../io/pytorch-writer.js";
import { temporaryFolder } from "../temporary-folder.js";

const main = path.resolve(import.meta.dirname, "../../dist/cli/main.js");
const folder = temporaryFolder();
const inspect = (...args: string[]) => promisify(execFile)(process.execPath, [main, "inspect", "weights", ...args]);

/** A tiny model in a file, whose tensors hold what `value` says. */
function modelFile(name: string, value: (name: string) => number, prefix = ""): string {
  const tensors = parameterShapes(resolvePretrainConfig("vit-tiny")).map(([parameter, shape]): StoredTensor => {
    const data = new Float32Array(shape.reduce((count, side) => count * side, 1)).fill(value(parameter));
    return { name: prefix + parameter, dtype: "F32", shape, data };
  });
  const file = path.join(folder, name);
  writeSafetensors(file, tensors);
  return file;
}

test("a sound model: every tensor, what it is, no warning", async () => {
  const { stdout } = await inspect(modelFile("sound.safetensors", () => 0.25, "module."));
  expect(stdout).toContain("module.mask_token  F32 [1, 1, 24]  0.25 .. 0.25\n");
  expect(stdout).toContain("sound.safetensors: safetensors; names begin with module.\n");
  expect(stdout).toContain(
    "vit-tiny: pre-training model, official names; encoder 2 x 48, patches 2 x 8 x 8; decoder 2 x 24",
  );
  expect(stdout).not.toContain("WARNING");
});

test("lost biases of queries and values, NaN, infinity and zeros are warned of", async () => {
  const file = modelFile("bad.safetensors", (name) => {
    if (/[qv]_bias$/.test(name)) return 0;
    if (name === "encoder.norm.bias") return 0;
    return name === "decoder.head.bias" ? Number.NaN : name === "mask_token" ? Number.NEGATIVE_INFINITY : 1;
  });
  const { stdout } = await inspect(file);
  expect(stdout).toMatch(
    /WARNING: the biases of queries and values are all zero, in 8 tensors.*take the weights from the original/,
  );
  expect(stdout).toMatch(/WARNING: NaN or infinity in mask_token, decoder\.head\.bias/);
  expect(stdout).toContain("WARNING: all zero: encoder.norm.bias\n");
  expect(stdout).toContain("mask_token  F32 [1, 1, 24]  24 infinite\n");
  expect(stdout).toContain("decoder.head.bias  F32 [384]  384 NaN\n");
  const report = JSON.parse((await inspect(file, "--json")).stdout);
  expect(report.schema).toBe("videomae.inspect-weights/1");
  expect(report.warnings).toHaveLength(3);
  expect(report.recognized).toMatchObject({ size: "vit-tiny", kind: "pre-training model" });
  const norm = report.tensors.find((tensor: { name: string }) => tensor.name === "encoder.norm.bias");
  expect(norm).toEqual({
    ...{ name: "encoder.norm.bias", dtype: "F32", shape: [48] },
    statistics: { nan: 0, infinite: 0, allZero: true, min: 0, max: 0 },
  });
});

test("one dict of several, numbers beside it, and dtypes that cannot be read", async () => {
  const complex = { ...f32Tensor("1", [1]), storage: "ComplexFloatStorage" };
  const root = new Map<string, unknown>([
    ["model", new Map<string, unknown>([["a", f32Tensor("0", [2])]])],
    [
      "ema",
      new Map<string, unknown>([
        ["b", complex],
        ["steps", 3],
      ]),
    ],
    ["epoch", 9],
  ]);
  const file = path.join(folder, "two.pth");
  writeFileSync(file, pytorchZip(root, { 0: f32(1, 2), 1: f32(0, 0) }));
  const { stdout } = await inspect(file);
  expect(stdout).toContain('pytorch-zip; weights under "model"; tensors also under ema\n');
  expect(stdout).toContain("beside them: epoch: 9\n");
  expect(stdout).toContain("WARNING: the names are those of no model that this package knows\n");
  const other = (await inspect(file, "--container", "ema")).stdout;
  expect(other).toContain("b  C64 [1]  not readable\n");
  expect(other).toContain("no tensors: steps\n");
});

test("a file that wants to run something ends with one line and status 1", async () => {
  const file = path.join(folder, "evil.pth");
  const evil = new Raw(Buffer.concat([global("os", "system"), pushed("true"), Buffer.from([0x85]), Buffer.from("R")]));
  writeFileSync(file, pytorchZip(evil, {}));
  const error = await inspect(file).catch((caught) => caught);
  expect(error.code).toBe(1);
  expect(error.stderr.trim().split("\n")).toHaveLength(1);
  expect(error.stderr).toMatch(/^videomae: .*evil\.pth: .*wants to run "os\.system".*nothing of it was run/);
});

test.runIf(haveShared)("a checkpoint of the official code: its arguments and epoch", async () => {
  const { stdout } = await inspect(path.join(sharedFolder, "fixtures/checkpoint_official.pth"));
  expect(stdout).toContain("pre-training model, official names; encoder 1 x 16, patches 2 x 16 x 16; decoder 1 x 16");
  expect(stdout).toContain("beside them: epoch: 1\n");
  expect(stdout).toContain(
    "written by a training with output_dir=. model=tiny epochs=3 lr=0.001 opt_betas=[0.9,0.95]\n",
  );
  expect(stdout).not.toContain("WARNING");
});
