import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { VideomaeError } from "#lib/errors.js";
import { writeCheckpoint } from "#lib/io/checkpoint.js";
import { openSafetensors, type StoredTensor, writeSafetensors } from "#lib/io/safetensors.js";
import { writeShardedSafetensors } from "#lib/io/sharded-tensors.js";
import { readFloats, readIntegers } from "#lib/io/stored-numbers.js";
import { openWeights } from "#lib/io/weights.js";
import { unwrapNames } from "#lib/io/wrapper-prefixes.js";
import { haveShared, sharedFolder } from "../fixtures.js";
import { temporaryFolder } from "../temporary-folder.js";
import { havePython, python } from "./python.js";
import { f32, f32Tensor, pytorchLegacy, pytorchZip } from "./pytorch-writer.js";

const folder = temporaryFolder();
let serial = 0;
function newFolder(): string {
  const path = join(folder, String(serial++));
  mkdirSync(path);
  return path;
}

const named = (name: string, ...values: number[]): StoredTensor => {
  return { name, dtype: "F32", shape: [values.length], data: Float32Array.from(values) };
};
const pth = pytorchZip(new Map([["model", new Map([["a", f32Tensor("0", [2])]])]]), { 0: f32(1, 2) });

test("the format is recognised by what the file begins with, whatever it is called", async () => {
  const place = newFolder();
  const legacy = pytorchLegacy(new Map([["a", f32Tensor("0", [2])]]), { 0: { elements: 2, bytes: f32(1, 2) } });
  writeFileSync(join(place, "one"), pth);
  writeFileSync(join(place, "two.safetensors"), legacy);
  writeSafetensors(join(place, "three.pth"), [named("a", 1, 2)], { note: "x" });
  for (const [file, format] of [
    ["one", "pytorch-zip"],
    ["two.safetensors", "pytorch-legacy"],
    ["three.pth", "safetensors"],
  ]) {
    using weights = await openWeights(join(place, file));
    expect(weights.format).toBe(format);
    expect([...weights.read("a")]).toEqual([1, 2]);
    expect(weights.entry("a")).toMatchObject({ dtype: "F32", shape: [2], byteLength: 8 });
    expect(() => weights.read("A")).toThrow(/did you mean "a"/);
  }
  using safetensors = await openWeights(join(place, "three.pth"));
  expect(Object.fromEntries(safetensors.metadata)).toEqual({ note: "x" });
  await expect(openWeights(join(place, "three.pth"), { container: "model" })).rejects.toThrow(/no container/);
});

test.each([
  ["version https://git-lfs.github.com/spec/v1\noid sha256:0", /Git LFS pointer.*git lfs pull/],
  ["<!DOCTYPE html><html></html>", /a web page/],
  ["\x1f\x8b\x08aaaaaaaaaaa", /an archive/],
  ["\x89HDF\r\n\x1a\n        ", /an HDF5 file/],
  ["\x93NUMPY\x01\x00v\x00{    ", /a NumPy array/],
  ["\x80\x04\x95aaaaaaaaaaaaaaaa", /a pickle that torch.save did not write/],
  [`${"x".repeat(257)}ustar  `, /a tar archive/],
  ["", /at least 8 bytes/],
  ["PK\x03\x04 and no more", /whole zip file/],
])("not weights: %j", async (content, message) => {
  const path = join(newFolder(), "model.pth");
  writeFileSync(path, content, "latin1");
  await expect(openWeights(path)).rejects.toThrow(message);
  await expect(openWeights(path)).rejects.toThrow(VideomaeError);
});

test("a checkpoint of a run is its model, and is compared with its hash", async () => {
  const run = newFolder();
  const data = Float32Array.from([1, 2, 3]);
  const part = [{ name: "mask_token", shape: [3], data }];
  const state = { step: 4, epoch: 0, seed: 0, config: {} };
  writeCheckpoint(join(run, "checkpoint-4.safetensors"), { state, model: part, expAvg: part, expAvgSq: part });
  using weights = await openWeights(run);
  expect([weights.format, weights.container]).toEqual(["checkpoint of a run", "model"]);
  expect(weights.names).toEqual(["mask_token"]);
  expect([...weights.read("mask_token")]).toEqual([1, 2, 3]);
  const bytes = readFileSync(weights.path);
  bytes[bytes.byteLength - 1] ^= 1;
  writeFileSync(weights.path, bytes);
  await expect(openWeights(run)).rejects.toThrow(/sha256/);
});

test("folders: the usual names in order, one file of any name, or an error that lists them", async () => {
  const place = newFolder();
  await expect(openWeights(place)).rejects.toThrow(/without weights/);
  writeFileSync(join(place, "any.pth"), pth);
  expect((await openWeights(place)).path).toMatch(/any\.pth$/);
  writeFileSync(join(place, "other.bin"), pth);
  await expect(openWeights(place)).rejects.toThrow(/several: .*any.pth.*name one/);
  writeFileSync(join(place, "pytorch_model.bin"), pth);
  expect((await openWeights(place)).path).toMatch(/pytorch_model\.bin$/);
  writeSafetensors(join(place, "model.safetensors"), [named("a", 1)]);
  expect((await openWeights(place)).path).toMatch(/model\.safetensors$/);
  await expect(openWeights(join(place, "none"))).rejects.toThrow(/no such file/);
});

const three = [named("a", 1, 2), named("b", 3), named("c", 4, 5, 6)];

test("several files with an index: written by size, read as one", async () => {
  const place = newFolder();
  const index = writeShardedSafetensors(place, three, { maxBytes: 12 });
  const parsed = JSON.parse(readFileSync(index, "utf8"));
  expect(parsed).toEqual({
    metadata: { total_size: 24 },
    weight_map: {
      a: "model-00001-of-00002.safetensors",
      b: "model-00001-of-00002.safetensors",
      c: "model-00002-of-00002.safetensors",
    },
  });
  for (const path of [place, index]) {
    using weights = await openWeights(path);
    expect(weights.format).toBe("safetensors in several files");
    expect(weights.names).toEqual(["a", "b", "c"]);
    expect([...weights.read("c")]).toEqual([4, 5, 6]);
    expect(() => weights.read("d")).toThrow(/without it/);
  }
  expect(() => writeShardedSafetensors(place, [three[0], three[2], three[0]], { maxBytes: 8 })).toThrow(
    /"a".*occurs once/,
  );
});

test("several PyTorch files with an index", async () => {
  const place = newFolder();
  const flat = (name: string) => pytorchZip(new Map([[name, f32Tensor("0", [2])]]), { 0: f32(1, 2) });
  writeFileSync(join(place, "x-1.bin"), flat("a"));
  writeFileSync(join(place, "x-2.bin"), flat("b"));
  const index = { metadata: {}, weight_map: { a: "x-1.bin", b: "x-2.bin" } };
  writeFileSync(join(place, "pytorch_model.bin.index.json"), JSON.stringify(index));
  using weights = await openWeights(place);
  expect(weights.format).toBe("pytorch in several files");
  expect([...weights.read("b")]).toEqual([1, 2]);
});

const [first, second] = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];

test.each([
  ["no JSON", "{", /index in JSON/],
  ["no map", "{}", /"weight_map"/],
  ["a name twice", `{"weight_map":{"a":"${first}","a":"${second}"}}`, /"a" twice/],
  ["a file elsewhere", '{"weight_map":{"a":"../x.safetensors"}}', /beside the index/],
  ["the folder itself", '{"weight_map":{"a":".."}}', /beside the index/],
  ["a number", '{"weight_map":{"a":7}}', /beside the index.*7/],
  ["a missing file", '{"weight_map":{"a":"x.safetensors"}}', /x\.safetensors: got no such file/],
  [
    "a tensor in the wrong file",
    `{"weight_map":{"a":"${second}","b":"${first}","c":"${second}"}}`,
    /"a" in .*without it/,
  ],
  ["a tensor that is left out", `{"weight_map":{"a":"${first}","c":"${second}"}}`, /every tensor.*"b", which is not/],
])("an index with %s is refused", async (_, text, message) => {
  const place = newFolder();
  const index = writeShardedSafetensors(place, three, { maxBytes: 12 });
  writeFileSync(index, text);
  await expect(openWeights(index)).rejects.toThrow(message);
  await expect(openWeights(index)).rejects.toThrow(VideomaeError);
});

test("a tensor of one name in two files is refused", async () => {
  const place = newFolder();
  const index = writeShardedSafetensors(place, three, { maxBytes: 12 });
  copyFileSync(join(place, first), join(place, second));
  await expect(openWeights(index)).rejects.toThrow(VideomaeError);
});

test("every half and every bfloat is exact in f32; f64 is rounded; f32 goes straight into the target", () => {
  const path = join(newFolder(), "x.safetensors");
  const all = Uint16Array.from({ length: 2 ** 16 }, (_, i) => i);
  writeSafetensors(path, [
    { name: "f16", dtype: "F16", shape: [256, 256], data: all },
    { name: "bf16", dtype: "BF16", shape: [2 ** 16], data: all },
    { name: "f64", dtype: "F64", shape: [2], data: Float64Array.from([0.1, 1e300]) },
    named("f32", 1, 2, 3),
    { name: "i64", dtype: "I64", shape: [3], data: BigInt64Array.from([-1n, 2n ** 53n - 1n, 0n]) },
    { name: "too long", dtype: "I64", shape: [1], data: BigInt64Array.from([2n ** 53n]) },
    { name: "bool", dtype: "BOOL", shape: [2], data: Uint8Array.from([1, 0]) },
  ]);
  using file = openSafetensors(path);
  const halves = readFloats(file, "f16");
  // The value by its definition, from the fields as text.
  for (let bits = 0; bits < 2 ** 16; bits++) {
    const text = bits.toString(2).padStart(16, "0");
    const [exponent, fraction] = [Number.parseInt(text.slice(1, 6), 2), Number.parseInt(text.slice(6), 2)];
    const size = exponent === 0 ? fraction / 2 ** 24 : (1024 + fraction) * 2 ** (exponent - 25);
    const expected = exponent === 31 ? (fraction ? Number.NaN : Number.POSITIVE_INFINITY) : size;
    if (!Object.is(halves[bits], text[0] === "1" ? -expected : expected))
      throw new Error(`half ${bits}: ${halves[bits]}`);
  }
  const bfloats = new DataView(new ArrayBuffer(4));
  readFloats(file, "bf16").forEach((value, bits) => {
    bfloats.setUint16(0, bits);
    if (!Object.is(value, bfloats.getFloat32(0))) throw new Error(`bfloat ${bits}: ${value}`);
  });
  expect([...readFloats(file, "f64")]).toEqual([Math.fround(0.1), Number.POSITIVE_INFINITY]);
  const target = new Float32Array(5);
  expect(readFloats(file, "f32", target.subarray(1, 4)).buffer).toBe(target.buffer);
  expect([...target]).toEqual([0, 1, 2, 3, 0]);
  expect(() => readFloats(file, "f32", target)).toThrow(/room for \[3\].*5 elements/);
  expect(() => readFloats(file, "i64")).toThrow(/dtype out of F32, F64, F16, BF16.*I64/);
  expect(readIntegers(file, "i64")).toEqual([-1, 2 ** 53 - 1, 0]);
  expect(readIntegers(file, "bool")).toEqual([1, 0]);
  expect(() => readIntegers(file, "too long")).toThrow(/exact as numbers.*9007199254740992/);
  expect(() => readIntegers(file, "f32")).toThrow(/expected integers; got F32/);
});

test("wrappers are taken off names, as many as there are", () => {
  const names = [
    "module._orig_mod.encoder.norm.weight",
    "module.head.weight",
    "backbone.blocks.0._orig_mod.norm1.weight",
  ];
  const { wrappers, stored } = unwrapNames("x.pth", names);
  expect([...stored.keys()]).toEqual(["encoder.norm.weight", "head.weight", "blocks.0.norm1.weight"]);
  expect([...stored.values()]).toEqual(names);
  expect(new Set(wrappers)).toEqual(new Set(["module.", "_orig_mod.", "backbone."]));
  expect(() => unwrapNames("x.pth", ["a", "module.a"])).toThrow(/both "a" and "module.a"/);
});

describe.runIf(haveShared)("a checkpoint that the official code has written", () => {
  const fixture = join(sharedFolder, "fixtures", "checkpoint_official");

  test("has the expected names, shapes and numbers", async () => {
    const { model, epoch } = JSON.parse(readFileSync(`${fixture}.json`, "utf8"));
    using weights = await openWeights(`${fixture}.pth`);
    expect(weights.container).toBe("model");
    expect(weights.metadata.get("epoch")).toBe(epoch);
    expect(weights.names).toEqual(Object.keys(model));
    for (const [name, { shape, sum, first_3 }] of Object.entries<{ shape: number[]; sum: number; first_3: number[] }>(
      model,
    )) {
      const values = readFloats(weights, name);
      expect(weights.entry(name).shape).toEqual(shape);
      expect([...values.subarray(0, first_3.length)]).toEqual(first_3);
      expect(values.reduce((total, value) => total + value, 0)).toBeCloseTo(sum, 9);
    }
  });
});

describe.runIf(havePython("torch", "safetensors"))("files of the safetensors library", () => {
  const code = `
import sys, torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
torch.manual_seed(0)
dtypes = ["float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "uint16", "uint32", "uint64", "bool", "float8_e4m3fn", "complex64"]
if sys.argv[1] == "write":
    save_file({d: (torch.arange(6).reshape(2, 3) % 2 * 3).to(getattr(torch, d)) for d in dtypes}, sys.argv[2], {"format": "pt"})
else:
    for name, t in load_file(sys.argv[2]).items():
        print(name, str(t.dtype)[6:], list(t.shape), t.to(torch.float64).flatten().tolist())
    with safe_open(sys.argv[2], "pt") as f:
        print(f.metadata())
`;

  test("every dtype is read", async () => {
    const path = join(newFolder(), "python.safetensors");
    python(code, "write", path);
    using weights = await openWeights(path);
    expect(weights.names).toHaveLength(15);
    for (const name of weights.names) {
      expect(weights.entry(name).shape, name).toEqual([2, 3]);
      if (name === "float8_e4m3fn" || name === "complex64") expect(() => weights.read(name)).toThrow(/dtype out of/);
      else if (/float/.test(name)) expect([...readFloats(weights, name)], name).toEqual([0, 3, 0, 3, 0, 3]);
      else expect(readIntegers(weights, name), name).toEqual(name === "bool" ? [0, 1, 0, 1, 0, 1] : [0, 3, 0, 3, 0, 3]);
    }
  });

  test("ours are read by it", () => {
    const path = join(newFolder(), "ours.safetensors");
    writeSafetensors(
      path,
      [
        { name: "a", dtype: "F16", shape: [2, 1], data: Uint16Array.from([0x3c00, 0xc000]) },
        { name: "b", dtype: "U32", shape: [], data: Uint32Array.from([7]) },
        named("c", 0.5),
      ],
      { note: "é" },
    );
    expect(python(code, "read", path).trim().split("\n")).toEqual([
      "a float16 [2, 1] [1.0, -2.0]",
      "b uint32 [] [7.0]",
      "c float32 [1] [0.5]",
      "{'note': 'é'}",
    ]);
  });
});

describe.runIf(havePython("torch", "transformers"))("models that transformers saves", () => {
  const code = `
import json, sys, torch
from transformers import VideoMAEConfig, VideoMAEForPreTraining
folder, ours = sys.argv[1:3]
if ours == "write":
    torch.manual_seed(0)
    config = VideoMAEConfig(image_size=32, num_frames=4, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, decoder_hidden_size=16, decoder_num_hidden_layers=1, decoder_num_attention_heads=2, decoder_intermediate_size=32)
    model = VideoMAEForPreTraining(config)
    model.save_pretrained(folder, max_shard_size="60KB")
    print(json.dumps({name: [list(t.shape), repr(t.double().sum().item())] for name, t in model.state_dict().items()}))
else:
    model = VideoMAEForPreTraining.from_pretrained(folder)
    print(json.dumps({name: [list(t.shape), repr(t.double().sum().item())] for name, t in model.state_dict().items()}))
`;

  test("in several files, read here, and written again in several files for it to read", async () => {
    const place = newFolder();
    const expected = JSON.parse(python(code, place, "write"));
    using weights = await openWeights(place);
    expect(weights.format).toBe("safetensors in several files");
    const tensors = weights.names.map((name): StoredTensor => {
      const data = readFloats(weights, name);
      const { shape } = weights.entry(name);
      expect([shape, data.reduce((sum, value) => sum + value, 0)], name).toEqual([
        expected[name][0],
        expect.closeTo(Number(expected[name][1]), 9),
      ]);
      return { name, dtype: "F32", shape, data };
    });
    const again = newFolder();
    copyFileSync(join(place, "config.json"), join(again, "config.json"));
    writeShardedSafetensors(again, tensors, { maxBytes: 50_000 });
    expect(JSON.parse(python(code, again, "read"))).toEqual(expected);
  });
});
