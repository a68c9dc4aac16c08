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

/** The dtype that a script array holds unless told otherwise; Uint16Array holds bf16. */
export function dtypeOf(data: NumberArray): DType {
  if (data instanceof Float64Array) return "f64";
  if (data instanceof Float32Array) return "f32";
  if (data instanceof Int32Array) return "i32";
  return data instanceof Uint16Array ? "bf16" : "u8";
}
