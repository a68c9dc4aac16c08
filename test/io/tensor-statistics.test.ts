import { join } from "node:path";
import { expect, test } from "vitest";
import { openSafetensors, type StoredTensor, writeSafetensors } from "#lib/io/safetensors.js";
import { readFloats } from "#lib/io/stored-numbers.js";
import { tensorStatistics } from "#lib/io/tensor-statistics.js";
import { temporaryFolder } from "../temporary-folder.js";

const folder = temporaryFolder();
const count = 3 * 2 ** 20 + 5; // several chunks and a rest, for every width

test("extremes, NaN and infinities of every dtype, wherever in a tensor of several chunks they lie", () => {
  const path = join(folder, "x.safetensors");
  const floats = <A extends Float32Array | Float64Array>(array: A, ...last: number[]): A => {
    array.fill(0.5).set(last, count - last.length);
    return array;
  };
  const halves = (one: number, ...last: number[]) => {
    const array = new Uint16Array(count).fill(one);
    array.set(last, count - last.length);
    return array;
  };
  const tensors: StoredTensor[] = [
    { name: "f64", dtype: "F64", shape: [count], data: floats(new Float64Array(count), -7, Number.NaN) },
    { name: "f32", dtype: "F32", shape: [count], data: floats(new Float32Array(count), 9, Number.POSITIVE_INFINITY) },
    { name: "f16", dtype: "F16", shape: [count], data: halves(0x3800, 0xc000, 0x7e00, 0x7c00) },
    { name: "bf16", dtype: "BF16", shape: [count], data: halves(0x3f00, 0xc000, 0x7fc0, 0xff80) },
    { name: "i64", dtype: "I64", shape: [2], data: BigInt64Array.from([-5n, 2n ** 40n]) },
    { name: "u8", dtype: "U8", shape: [count], data: new Uint8Array(count).fill(200) },
    { name: "zero", dtype: "F16", shape: [count], data: halves(0x8000, 0) },
    { name: "empty", dtype: "F32", shape: [0], data: new Float32Array(0) },
  ];
  writeSafetensors(path, tensors);
  using file = openSafetensors(path);
  const none = { nan: 0, infinite: 0, allZero: false };
  expect(tensorStatistics(file, "f64")).toEqual({ ...none, nan: 1, min: -7, max: 0.5 });
  expect(tensorStatistics(file, "f32")).toEqual({ ...none, infinite: 1, min: 0.5, max: 9 });
  expect(tensorStatistics(file, "f16")).toEqual({ ...none, nan: 1, infinite: 1, min: -2, max: 0.5 });
  expect(tensorStatistics(file, "bf16")).toEqual({ ...none, nan: 1, infinite: 1, min: -2, max: 0.5 });
  expect(tensorStatistics(file, "i64")).toEqual({ ...none, min: -5, max: 2 ** 40 });
  expect(tensorStatistics(file, "u8")).toEqual({ ...none, min: 200, max: 200 });
  expect(tensorStatistics(file, "zero")?.allZero).toBe(true);
  expect(tensorStatistics(file, "empty")).toEqual({ ...none, min: undefined, max: undefined });
  expect([...readFloats(file, "f16").subarray(-4)]).toEqual([0.5, -2, Number.NaN, Number.POSITIVE_INFINITY]);
  expect([...readFloats(file, "f64").subarray(-3)]).toEqual([0.5, -7, Number.NaN]);
});
