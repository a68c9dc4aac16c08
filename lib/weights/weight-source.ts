// Named tensors to load a model from, whatever file they lie in, and their values as f32.

import { VideomaeError } from "../errors.js";
import type { StoredArray } from "../io/safetensors.js";

/** A file of named tensors, each read when asked for. */
export interface WeightSource {
  readonly path: string;
  readonly names: readonly string[];
  entry(name: string): { readonly dtype: string; readonly shape: readonly number[] };
  /** Row-major; F16 and BF16 as their bits. */
  read(name: string): StoredArray;
}

/** A tensor's values as f32; F64 is rounded. Throws for a dtype that holds no real numbers. */
export function readReal(source: WeightSource, name: string): Float32Array {
  const { dtype } = source.entry(name);
  const values = source.read(name);
  if (dtype === "F32") return values as Float32Array;
  if (dtype === "F64") return Float32Array.from(values as Float64Array);
  if (dtype === "BF16") return new Float32Array(Uint32Array.from(values as Uint16Array, (bits) => bits << 16).buffer);
  if (dtype === "F16") return Float32Array.from(values as Uint16Array, halfValue);
  throw new VideomaeError({
    op: `${source.path}: tensor "${name}"`,
    expected: "a dtype out of F32, F64, F16, BF16",
    got: dtype,
  });
}

/** The value of an IEEE half: 1 sign, 5 exponent and 10 mantissa bits. */
function halfValue(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const mantissa = bits & 1023;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  if (exponent === 31) return mantissa ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
}
