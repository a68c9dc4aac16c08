import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { VideomaeError } from "#lib/errors.js";
import { openSafetensors, type StoredTensor, writeSafetensors } from "#lib/io/safetensors.js";
import { temporaryFolder } from "../temporary-folder.js";

const folder = temporaryFolder();
let serial = 0;
const newPath = () => join(folder, `${serial++}.safetensors`);

const tensors: StoredTensor[] = [
  { name: "f64", dtype: "F64", shape: [2], data: new Float64Array([Math.PI, Number.NaN]) },
  { name: "f32", dtype: "F32", shape: [2, 3], data: new Float32Array([1, -0, 3, Number.POSITIVE_INFINITY, 5, 6]) },
  { name: "u8", dtype: "U8", shape: [3], data: new Uint8Array([0, 127, 255]) },
  { name: "bf16", dtype: "BF16", shape: [2], data: new Uint16Array([0x3f80, 0xc000]) },
  { name: "f16", dtype: "F16", shape: [1], data: new Uint16Array([0x3c00]) },
  { name: "i64", dtype: "I64", shape: [1], data: new BigInt64Array([-(2n ** 60n)]) },
  { name: "u64", dtype: "U64", shape: [1], data: new BigUint64Array([2n ** 64n - 1n]) },
  { name: "u32", dtype: "U32", shape: [1], data: new Uint32Array([2 ** 32 - 1]) },
  { name: "u16", dtype: "U16", shape: [1], data: new Uint16Array([65535]) },
  { name: "i32", dtype: "I32", shape: [], data: new Int32Array([-7]) },
  { name: "i16", dtype: "I16", shape: [1], data: new Int16Array([-7]) },
  { name: "i8", dtype: "I8", shape: [1], data: new Int8Array([-7]) },
  { name: "bool", dtype: "BOOL", shape: [2], data: new Uint8Array([1, 0]) },
  { name: "empty", dtype: "F32", shape: [0, 4], data: new Float32Array(0) },
  { name: 'odd "name" \\ é {', dtype: "F32", shape: [1], data: new Float32Array([9]) },
];

test("every dtype comes back as it went, in the order written", () => {
  const path = newPath();
  writeSafetensors(path, tensors, { note: "a: {b}", more: "é" });
  using file = openSafetensors(path);
  expect(Object.fromEntries(file.metadata)).toEqual({ note: "a: {b}", more: "é" });
  expect(file.names).toEqual(tensors.map(({ name }) => name));
  for (const { name, dtype, shape, data } of tensors) {
    expect(file.entry(name)).toMatchObject({ dtype, shape, byteLength: data.byteLength });
    expect(file.read(name)).toEqual(data);
    expect(file.has(name)).toBe(true);
  }
});

test("the data starts at a multiple of 8 bytes after a header padded by spaces", () => {
  const path = newPath();
  writeSafetensors(path, [tensors[2]]);
  const bytes = readFileSync(path);
  const header = Number(bytes.readBigUInt64LE(0));
  expect(header % 8).toBe(0);
  const text = bytes.subarray(8, 8 + header).toString();
  expect(text.trimEnd()).toBe('{"u8":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}}');
  expect([...bytes.subarray(8 + header)]).toEqual([0, 127, 255]);
});

test("a view of a larger buffer writes only its own part", () => {
  const path = newPath();
  const data = new Float32Array([1, 2, 3, 4]).subarray(1, 3);
  writeSafetensors(path, [{ name: "x", dtype: "F32", shape: [2], data }]);
  using file = openSafetensors(path);
  expect([...file.read("x")]).toEqual([2, 3]);
});

test("a misspelt tensor and a closed file are errors", () => {
  const path = newPath();
  writeSafetensors(path, tensors);
  const file = openSafetensors(path);
  expect(() => file.read("bool2")).toThrow(/did you mean "bool"/);
  file.close();
  file.close();
  expect(() => file.read("bool")).toThrow(/closed/);
});

test.each([
  ["wrong length", { name: "x", dtype: "F32", shape: [3], data: new Float32Array(2) }, /3 elements.*Float32Array of 2/],
  ["wrong array", { name: "x", dtype: "F32", shape: [2], data: new Int32Array(2) }, /Float32Array.*Int32Array/],
  ["reserved name", { name: "__metadata__", dtype: "F32", shape: [], data: new Float32Array(1) }, /reserved/],
] as const)("writing refuses: %s", (_, tensor, message) => {
  expect(() => writeSafetensors(newPath(), [tensor])).toThrow(message);
});

test("writing refuses a name twice", () => {
  expect(() => writeSafetensors(newPath(), [tensors[0], tensors[0]])).toThrow(/"f64".*occurs once/);
});

/** A file of this header text and so many data bytes. */
function craft(header: string | Uint8Array, dataBytes: number): string {
  const path = newPath();
  const json = Buffer.from(header);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.byteLength));
  writeFileSync(path, Buffer.concat([length, json, Buffer.alloc(dataBytes)]));
  return path;
}

const f32 = (begin: number, end: number, shape = [(end - begin) / 4]) =>
  JSON.stringify({ dtype: "F32", shape, data_offsets: [begin, end] });

test.each([
  ["not JSON", "{", 0, /header in JSON/],
  ["not an object", "[]", 0, /JSON object/],
  ["not UTF-8", new Uint8Array([0x7b, 0xff, 0x7d]), 0, /UTF-8/],
  ["gap", `{"a":${f32(0, 4)},"b":${f32(8, 12)}}`, 12, /"b".*gap/],
  ["gap at the start", `{"a":${f32(4, 8)}}`, 8, /"a".*gap/],
  ["overlap", `{"a":${f32(0, 8)},"b":${f32(4, 12)}}`, 12, /"b".*overlap/],
  ["bytes behind the last tensor", `{"a":${f32(0, 4)}}`, 8, /no tensor/],
  ["past the end of the file", `{"a":${f32(0, 4)},"b":${f32(4, 12)}}`, 8, /"b".*truncated/],
  ["name twice", `{"a":${f32(0, 4)},"a":${f32(0, 4)}}`, 4, /"a".*twice/],
  ["name twice, once escaped", `{"a":${f32(0, 4)},"\\u0061":${f32(0, 4)}}`, 4, /"a".*twice/],
  ["shape against bytes", `{"a":${f32(0, 8, [3])}}`, 8, /12 bytes for F32\[3\].*8 bytes/],
  ["negative side", `{"a":${f32(0, 8, [-1, -2])}}`, 8, /shape of integers/],
  ["huge shape", `{"a":${f32(0, 8, [2 ** 40, 2 ** 40])}}`, 8, /shape of integers/],
  ["fraction in the shape", `{"a":${f32(0, 4, [0.5])}}`, 4, /shape of integers/],
  ["offsets backward", `{"a":${f32(4, 0, [1])}}`, 4, /data_offsets/],
  ["no offsets", '{"a":{"dtype":"F32","shape":[1]}}', 4, /data_offsets/],
  ["no dtype", '{"a":{"dtype":7,"shape":[1],"data_offsets":[0,1]}}', 1, /name of a dtype.*7/],
  ["dtype of a prototype", '{"a":{"dtype":"toString","shape":[1],"data_offsets":[0,1]}}', 1, /name of a dtype/],
  ["8-bit float of two bytes", '{"a":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,2]}}', 2, /1 bytes for F8_E4M3/],
  ["tensor is null", '{"a":null}', 0, /dtype, shape/],
  ["metadata is not text", '{"__metadata__":{"a":1}}', 0, /__metadata__\.a/],
] as const)("reading refuses: %s", (_, header, dataBytes, message) => {
  const path = craft(header, dataBytes);
  expect(() => openSafetensors(path)).toThrow(message);
  expect(() => openSafetensors(path)).toThrow(VideomaeError);
  expect(() => openSafetensors(path)).toThrow(path);
});

test("a dtype that this package does not know is listed and not read", () => {
  const entries = ["F8_E4M3", "C64", "F4"].map((dtype, i) => {
    return `"${dtype}":{"dtype":"${dtype}","shape":[1],"data_offsets":[${i * 8 - (i > 0 ? 7 : 0)},${i * 8 + 1}]}`;
  });
  const path = craft(`{${entries.join(",")}}`, 17);
  using file = openSafetensors(path);
  expect(file.entry("F4")).toMatchObject({ dtype: "F4", shape: [1], byteLength: 8 });
  for (const name of file.names) expect(() => file.read(name)).toThrow(/dtype out of F64.*got/);
});

test("all tensors at once are the same as one by one, also where mixed dtypes leave them unaligned", () => {
  const path = newPath();
  writeSafetensors(path, [{ ...tensors[2], name: "three bytes" }, ...tensors]);
  using file = openSafetensors(path);
  const all = file.readAll();
  expect([...all.keys()]).toEqual(file.names);
  for (const [name, data] of all) expect(data, name).toEqual(file.read(name));
  expect(() =>
    openSafetensors(craft('{"a":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}}', 1)).readAll(),
  ).toThrow(/dtype out of/);
});

test("a part of a tensor can be read by itself, and never a part of its neighbour", () => {
  const path = newPath();
  writeSafetensors(path, tensors);
  using file = openSafetensors(path);
  const part = new Uint8Array(2);
  file.readBytes("u8", part, 1);
  expect([...part]).toEqual([127, 255]);
  for (const offset of [2, -1, 0.5, Number.NaN])
    expect(() => file.readBytes("u8", part, offset)).toThrow(/range inside/);
});

test("names that repeat inside tensors or text are no duplicates", () => {
  const path = craft(`{"__metadata__":{"a":"\\"a\\": {","b":"a"},"a":${f32(0, 4)},"dtype":${f32(4, 8)}}`, 8);
  using file = openSafetensors(path);
  expect(file.names).toEqual(["a", "dtype"]);
});

test("a length field that lies is refused before anything is allocated", () => {
  const path = newPath();
  const bytes = Buffer.alloc(16);
  for (const length of [9n, 2n ** 40n, 2n ** 64n - 1n]) {
    bytes.writeBigUInt64LE(length);
    writeFileSync(path, bytes);
    expect(() => openSafetensors(path)).toThrow(/header of at most/);
  }
});

test("a file cut anywhere is refused", () => {
  const path = newPath();
  writeSafetensors(path, tensors);
  const { length } = readFileSync(path);
  for (const size of [length - 1, length - 40, Math.floor(length / 2), 9, 8, 7, 0]) {
    truncateSync(path, size);
    expect(() => openSafetensors(path), String(size)).toThrow(VideomaeError);
  }
});

test("a missing file and a folder are errors that name the path", () => {
  expect(() => openSafetensors(join(folder, "none"))).toThrow(/open .*none: got no such file.*check the path/);
  expect(() => openSafetensors(folder)).toThrow(VideomaeError);
});
