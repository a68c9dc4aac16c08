// Writing .npy files, format 1.0: a magic number, the version, a header of 64-byte multiples that is a Python literal, and
// the elements, row-major and little-endian.

import { VideomaeError } from "../errors.js";
import { writeFileAtomic } from "./atomic-file.js";
import { elementCount } from "./stored-dtype.js";

const MAGIC = [0x93, ...Buffer.from("NUMPY"), 1, 0];
const ALIGNMENT = 64;

/**
 * Writes an f32 array atomically: an existing file at `path` is replaced whole or not at all.
 * @throws VideomaeError when the number of elements is not the shape's, or writing fails
 */
export function writeNpy(path: string, data: Float32Array, shape: readonly number[]): void {
  if (!shape.every((side) => Number.isSafeInteger(side) && side >= 0) || elementCount(shape) !== data.length) {
    throw new VideomaeError({
      op: `write ${path}`,
      expected: `${elementCount(shape)} elements for the shape [${shape.join(", ")}]`,
      got: `${data.length}`,
    });
  }
  const sides = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const literal = `{'descr': '<f4', 'fortran_order': False, 'shape': (${sides}), }`;
  const length = Math.ceil((MAGIC.length + 2 + literal.length + 1) / ALIGNMENT) * ALIGNMENT;
  const header = new Uint8Array(length).fill(0x20);
  header.set(MAGIC);
  new DataView(header.buffer).setUint16(MAGIC.length, length - MAGIC.length - 2, true);
  header.set(Buffer.from(literal), MAGIC.length + 2);
  header[length - 1] = 0x0a;
  writeFileAtomic(path, (sink) => {
    sink(header);
    sink(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  });
}
