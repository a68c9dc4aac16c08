// Tensors that are views of a storage: element (i, j, ...) of a view lies at offset + i * strides[0] + j * strides[1] + ...
// elements. Views overlap, skip, turn and repeat; a view is checked once, when it is described, and is then as good as a
// tensor of its own.

import { dtypeWidth, elementCount } from "../stored-dtype.js";
import { badPickle, type PickledTensor } from "./pickle-values.js";

/** @throws DamagedFileError unless every element lies inside the storage */
export function checkView(path: string, { storage, dtype, offset, shape, strides }: PickledTensor): void {
  const what = `a tensor [${shape.join(",")}] of a storage`;
  if (shape.length !== strides.length || shape.length > 64) {
    throw badPickle(path, `${what} with a stride for each of at most 64 axes`, `strides [${strides.join(",")}]`);
  }
  const width = dtypeWidth(dtype) as number;
  const count = elementCount(shape);
  const last = count === 0 ? 0 : offset + shape.reduce((sum, side, axis) => sum + (side - 1) * strides[axis], 1);
  if (Number.isSafeInteger(count * width) && last * width <= storage.byteLength) return;
  throw badPickle(path, `${what} of ${storage.byteLength} bytes`, `elements up to byte ${last * width}`);
}

/** The bytes of a view as a tensor of its own. */
export function viewBytes({ dtype, shape }: PickledTensor): number {
  return elementCount(shape) * (dtypeWidth(dtype) as number);
}

/** Whether the elements lie one after the other in row-major order. */
export function isContiguous({ shape, strides }: PickledTensor): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== expected) return elementCount(shape) === 0;
    expected *= shape[axis];
  }
  return true;
}

/** Gathers a view's elements in row-major order. `span` holds the storage's bytes from the view's first element on. */
export function gatherView({ dtype, shape, strides }: PickledTensor, span: Uint8Array, target: Uint8Array): void {
  const width = dtypeWidth(dtype) as number;
  const index = shape.map(() => 0);
  let from = 0; // in elements
  for (let to = 0; to < target.byteLength; to += width) {
    for (let b = 0; b < width; b++) target[to + b] = span[from * width + b];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis];
      if (++index[axis] < shape[axis]) break;
      from -= index[axis] * strides[axis];
      index[axis] = 0;
    }
  }
}
