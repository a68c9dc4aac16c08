// Stored tensors as numbers. To f32: F16 and BF16 exactly, F64 rounded to nearest. To integers: exactly, or not at all.

import { VideomaeError } from "../errors.js";
import { elementCount } from "./stored-dtype.js";
import { readTensor, type TensorFile } from "./tensor-file.js";

const CHUNK = 2 ** 20; // elements converted at a time, so that a tensor is in memory once

/**
 * Reads a tensor of real numbers as f32.
 *
 * @param target  filled and returned; by default a new array
 * @throws VideomaeError for a dtype without real numbers, or a target of another length
 */
export function readFloats(file: TensorFile, name: string, target?: Float32Array): Float32Array {
  const { dtype, shape, byteLength } = file.entry(name);
  const count = elementCount(shape);
  const op = `read ${file.path}: tensor "${name}"`;
  if (!Object.hasOwn(floatConverters, dtype)) {
    throw new VideomaeError({ op, expected: `a dtype out of ${Object.keys(floatConverters).join(", ")}`, got: dtype });
  }
  const convert = floatConverters[dtype];
  const floats = target ?? new Float32Array(count);
  if (floats.length !== count) {
    throw new VideomaeError({ op, expected: `room for [${shape.join(",")}]`, got: `${floats.length} elements` });
  }
  if (convert === undefined) {
    file.readBytes(name, new Uint8Array(floats.buffer, floats.byteOffset, byteLength));
    return floats;
  }
  const width = byteLength / Math.max(1, count);
  const bytes = new Uint8Array(Math.min(CHUNK, count) * width);
  for (let at = 0; at < count; at += CHUNK) {
    const part = floats.subarray(at, at + CHUNK);
    const chunk = bytes.subarray(0, part.length * width);
    file.readBytes(name, chunk, at * width);
    convert(chunk.buffer, part);
  }
  return floats;
}

/**
 * Reads a tensor of integers or truth values as numbers.
 * @throws VideomaeError for another dtype, or an integer beyond 2^53
 */
export function readIntegers(file: TensorFile, name: string): number[] {
  const { dtype } = file.entry(name);
  const op = `read ${file.path}: tensor "${name}"`;
  if (!/^([IU]\d+|BOOL)$/.test(dtype)) throw new VideomaeError({ op, expected: "integers", got: dtype });
  return Array.from<number | bigint, number>(readTensor(file, name) as ArrayLike<number | bigint>, (value) => {
    if (Number.isSafeInteger(Number(value))) return Number(value);
    throw new VideomaeError({ op, expected: "integers that are exact as numbers", got: String(value) });
  });
}

type Converter = (bytes: ArrayBuffer, target: Float32Array) => void;

/** How each dtype of real numbers becomes f32; F32 is read as it is. */
export const floatConverters: Readonly<Record<string, Converter | undefined>> = {
  F32: undefined,
  F64: (bytes, target) => target.set(new Float64Array(bytes, 0, target.length)),
  F16: (bytes, target) => {
    const values = halfValues();
    const stored = new Uint16Array(bytes, 0, target.length);
    for (let i = 0; i < stored.length; i++) target[i] = values[stored[i]];
  },
  BF16: (bytes, target) => {
    const bits = new Uint32Array(target.buffer, target.byteOffset, target.length);
    const stored = new Uint16Array(bytes, 0, target.length);
    for (let i = 0; i < stored.length; i++) bits[i] = stored[i] << 16;
  },
};

let halves: Float32Array | undefined;

/** The value of every half, by its bits: 1 sign, 5 exponent and 10 mantissa bits. */
function halfValues(): Float32Array {
  halves ??= Float32Array.from({ length: 2 ** 16 }, (_, bits) => {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 31;
    const mantissa = bits & 1023;
    if (exponent === 31) return mantissa === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
    return exponent === 0 ? sign * mantissa * 2 ** -24 : sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
  });
  return halves;
}
