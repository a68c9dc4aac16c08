// Filling tensors in place. Random element i is a pure function of (seed, stream, i), the same to rounding in f32 and
// f64, whatever was drawn before and however many threads there are.
import { rejectUnknownOptions } from "../errors.js";
import { nativeOp } from "../tensor/native-op.js";
import type { Tensor } from "../tensor/tensor.js";

/** What random numbers are keyed by: two integers in [0, 2^32). Tensors with the same key get the same numbers. */
export interface RandomFillKey {
  readonly seed: number;
  readonly stream: number;
}

/** Uniform from low to high; by default from 0 to 1. high itself comes only by rounding. */
export interface UniformOptions extends RandomFillKey {
  readonly low?: number;
  readonly high?: number;
}

/** Normal with this mean and standard deviation; by default 0 and 1. */
export interface NormalOptions extends RandomFillKey {
  readonly mean?: number;
  readonly std?: number;
}

/** Normal, cut off at the absolute values `low` and `high`: not multiples of the standard deviation. */
export interface TruncatedNormalOptions extends NormalOptions {
  readonly low: number;
  readonly high: number;
}

const keyNames = ["seed", "stream"];

/** Overwrites y, of any dtype, with one value, converted by the rules of cast(). */
export function fill(y: Tensor, value: number): void {
  nativeOp("fill", { y, value });
}

/** Overwrites y (f32 or f64) with uniform numbers of 53 random bits. */
export function fillUniform(y: Tensor, options: UniformOptions): void {
  rejectUnknownOptions("fillUniform", options, ["low", "high", ...keyNames]);
  nativeOp("random", { y, kind: "uniform", ...options });
}

/** Overwrites y (f32 or f64) with normal numbers. */
export function fillNormal(y: Tensor, options: NormalOptions): void {
  rejectUnknownOptions("fillNormal", options, ["mean", "std", ...keyNames]);
  nativeOp("random", { y, kind: "normal", ...options });
}

/** Overwrites y (f32 or f64) with normal numbers conditioned to lie in [low, high] (spec 1.8). */
export function fillTruncatedNormal(y: Tensor, options: TruncatedNormalOptions): void {
  rejectUnknownOptions("fillTruncatedNormal", options, ["mean", "std", "low", "high", ...keyNames]);
  nativeOp("random", { y, kind: "truncatedNormal", ...options });
}
