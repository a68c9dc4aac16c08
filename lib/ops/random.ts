// Filling tensors in place. Random element i is a pure function of a key and i, the same to rounding in every dtype,
// whatever was drawn before and however many threads there are. The key is (seed, stream), or, for what is drawn anew in
// every training step, the step's random key and a path.
import { randomKeyTensor } from "../autograd/random-key.js";
import { rejectUnknownOptions } from "../errors.js";
import { fnv1a } from "../random.js";
import { nativeOp } from "../tensor/native-op.js";
import { scope } from "../tensor/scope.js";
import type { Tensor } from "../tensor/tensor.js";

/** What random numbers are keyed by. Tensors with the same key get the same numbers. */
export type RandomFillKey =
  /** Two integers in [0, 2^32). */
  | { readonly seed: number; readonly stream: number; readonly path?: undefined }
  /** The random key in force (withRandomKey) and what the numbers are for. */
  | { readonly path: string; readonly seed?: undefined; readonly stream?: undefined };

/** Uniform from low to high; by default from 0 to 1. high itself comes only by rounding. */
export type UniformOptions = RandomFillKey & {
  readonly low?: number;
  readonly high?: number;
};

/** Normal with this mean and standard deviation; by default 0 and 1. */
export type NormalOptions = RandomFillKey & {
  readonly mean?: number;
  readonly std?: number;
};

/** Normal, cut off at the absolute values `low` and `high`: not multiples of the standard deviation. */
export type TruncatedNormalOptions = NormalOptions & {
  readonly low: number;
  readonly high: number;
};

const keyNames = ["seed", "stream", "path"];

function draw(y: Tensor, kind: string, { path, ...options }: UniformOptions & NormalOptions): void {
  scope(() => {
    const key = path === undefined ? {} : { key: randomKeyTensor(y.device), stream: fnv1a(path) };
    nativeOp("random", { y, kind, ...options, ...key });
  });
}

/** Overwrites y, of any dtype, with one value, converted by the rules of cast(). */
export function fill(y: Tensor, value: number): void {
  nativeOp("fill", { y, value });
}

/** Overwrites y (f64, f32 or bf16) with uniform numbers of 53 random bits. */
export function fillUniform(y: Tensor, options: UniformOptions): void {
  rejectUnknownOptions("fillUniform", options, ["low", "high", ...keyNames]);
  draw(y, "uniform", options);
}

/** Overwrites y (f64, f32 or bf16) with normal numbers. */
export function fillNormal(y: Tensor, options: NormalOptions): void {
  rejectUnknownOptions("fillNormal", options, ["mean", "std", ...keyNames]);
  draw(y, "normal", options);
}

/** Overwrites y (f64, f32 or bf16) with normal numbers conditioned to lie in [low, high] (spec 1.8). */
export function fillTruncatedNormal(y: Tensor, options: TruncatedNormalOptions): void {
  rejectUnknownOptions("fillTruncatedNormal", options, ["mean", "std", "low", "high", ...keyNames]);
  draw(y, "truncatedNormal", options);
}
