// What the numbers of a stored tensor look like, in one pass of 4 MiB at a time, whatever its size.

import { isStoredDtype, type StoredArray, type StoredDtype, storedTypes } from "./stored-dtype.js";
import { floatConverters } from "./stored-numbers.js";
import type { TensorFile } from "./tensor-file.js";

export interface TensorStatistics {
  readonly nan: number;
  readonly infinite: number;
  /** Whether there are elements, and all of them are zero. */
  readonly allZero: boolean;
  /** Of the finite elements; undefined when there are none. */
  readonly min: number | undefined;
  readonly max: number | undefined;
}

const CHUNK = 2 ** 22; // bytes, a multiple of every width

/** The statistics of a tensor; undefined for a dtype that cannot be read. */
export function tensorStatistics(file: TensorFile, name: string): TensorStatistics | undefined {
  const { dtype, byteLength } = file.entry(name);
  if (!isStoredDtype(dtype)) return undefined;
  const range: Range = { nan: 0, infinite: 0, min: Number.POSITIVE_INFINITY, max: Number.NEGATIVE_INFINITY };
  const buffer = new ArrayBuffer(Math.min(CHUNK, byteLength));
  for (let at = 0; at < byteLength; at += CHUNK) {
    const chunk = new Uint8Array(buffer, 0, Math.min(CHUNK, byteLength - at));
    file.readBytes(name, chunk, at);
    scan(numbers(dtype, chunk), range);
  }
  const { nan, infinite, min, max } = range;
  const finite = min <= max;
  const allZero = finite && nan + infinite === 0 && min === 0 && max === 0;
  return { nan, infinite, allZero, min: finite ? min : undefined, max: finite ? max : undefined };
}

interface Range {
  nan: number;
  infinite: number;
  min: number;
  max: number;
}

function scan(values: Exclude<StoredArray, BigInt64Array | BigUint64Array>, range: Range): void {
  let { nan, infinite, min, max } = range;
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (value - value === 0) {
      if (value < min) min = value;
      if (value > max) max = value;
    } else if (Number.isNaN(value)) nan++;
    else infinite++;
  }
  Object.assign(range, { nan, infinite, min, max });
}

/** The elements as numbers; 16-bit floats become f32, 64-bit integers the nearest f64. */
function numbers(
  dtype: StoredDtype,
  chunk: Uint8Array<ArrayBuffer>,
): Exclude<StoredArray, BigInt64Array | BigUint64Array> {
  const convert = dtype === "F64" ? undefined : floatConverters[dtype];
  if (convert) {
    const floats = new Float32Array(chunk.byteLength / storedTypes[dtype].bytes);
    convert(chunk.buffer, floats);
    return floats;
  }
  const part = chunk.byteLength === chunk.buffer.byteLength ? chunk.buffer : chunk.slice().buffer;
  const values = new storedTypes[dtype].array(part);
  if (values instanceof BigInt64Array || values instanceof BigUint64Array) {
    return Float64Array.from(values as Iterable<bigint>, Number);
  }
  return values;
}
