// Element types and the script arrays that hold them.
import type { NumberArray } from "../addon/binding.js";

/** Element types. bf16 travels between script and tensor as its bits (Uint16Array). */
export type DType = "f64" | "f32" | "bf16" | "u8" | "i32" | "bool";

/** Where a tensor lives: `cuda` is the first GPU, `emu` runs the GPU's kernels on the CPU, to test them. */
export type Device = "cpu" | "cuda" | `cuda:${number}` | "emu";

const arrays = {
  f64: Float64Array,
  f32: Float32Array,
  bf16: Uint16Array,
  u8: Uint8Array,
  i32: Int32Array,
  bool: Uint8Array,
} as const;

/** A new script array for `count` elements of a dtype. */
export function arrayFor(dtype: DType, count: number): NumberArray {
  return new arrays[dtype](count);
}

/** A script array of numbers as elements of a dtype; of bf16 their bits, rounded to nearest, ties to even. */
export function arrayOf(numbers: readonly number[], dtype: DType): NumberArray {
  const array = arrayFor(dtype, numbers.length);
  array.set(dtype === "bf16" ? numbers.map(bf16Bits) : numbers);
  return array;
}

const asFloat = new Float32Array(1);
const asBits = new Uint32Array(asFloat.buffer);

/** The bits of the bf16 number that is nearest to x; of two, the even one. NaN stays NaN. */
export function bf16Bits(x: number): number {
  asFloat[0] = x;
  const bits = asBits[0];
  if (Number.isNaN(x)) return (bits >>> 16) | 0x40;
  // Between two bf16 numbers f32 has a middle; what x is beside it decides, and where x is the middle, the even one.
  const beside = Math.abs(x) - Math.abs(asFloat[0]);
  const middle = (bits & 0xffff) === 0x8000 && Number.isFinite(x);
  const up = middle && beside !== 0 ? beside > 0 : (bits & 0xffff) + ((bits >>> 16) & 1) > 0x8000;
  return (bits >>> 16) + (up ? 1 : 0);
}

/** `bf16Bits` of many: in a loop, because `from` with a function takes a hundred times as long. */
export function bf16BitsOf(values: Float32Array): Uint16Array {
  const bits = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) bits[i] = bf16Bits(values[i]);
  return bits;
}

/** An element of a script array as a number: that of a bf16 array is its bits. */
export function numberOf(element: number, dtype: DType): number {
  if (dtype !== "bf16") return element;
  asBits[0] = element << 16;
  return asFloat[0];
}

/** The dtype that a script array holds unless told otherwise; Uint16Array holds bf16. */
export function dtypeOf(data: NumberArray): DType {
  if (data instanceof Float64Array) return "f64";
  if (data instanceof Float32Array) return "f32";
  if (data instanceof Int32Array) return "i32";
  return data instanceof Uint16Array ? "bf16" : "u8";
}
