// Runs one native op by name: tensors in, tensors out. The native side checks dtypes, shapes and names.
import { binding, type Handle } from "../addon/binding.js";
import { Tensor } from "./tensor.js";

/** An op's operands and attributes by the names its native header gives them; undefined means absent. */
export type NativeArguments = Readonly<
  Record<string, Tensor | readonly Tensor[] | number | string | boolean | readonly number[] | undefined>
>;

/** The names of the outputs that are not needed: what `nativeOp` is to skip. */
export function unneeded(outputs: Readonly<Record<string, boolean>>): string[] {
  return Object.keys(outputs).filter((name) => !outputs[name]);
}

/**
 * Runs the op `name`, e.g. `nativeOp("layerNorm", { x, weight, bias, eps })`.
 * @param args  under the name of an output that is a sum, a tensor that it is added to; it is not returned then
 * @param skip  outputs that are not wanted; they are neither computed nor returned
 * @throws VideomaeError naming the op, what it expected and what it got
 */
export function nativeOp(name: string, args: NativeArguments, skip: readonly string[] = []): Record<string, Tensor> {
  const native: Record<string, unknown> = {};
  for (const key in args) {
    const value = args[key];
    if (value instanceof Tensor) native[key] = value.handle;
    else if (Array.isArray(value)) native[key] = value.map((v) => (v instanceof Tensor ? v.handle : v));
    else if (value !== undefined) native[key] = value;
  }
  if (skip.length > 0) native.skip = skip;
  const outputs: Record<string, Handle> = binding.ops[name](native);
  const tensors: Record<string, Tensor> = {};
  for (const key in outputs) tensors[key] = new Tensor(outputs[key]);
  return tensors;
}
