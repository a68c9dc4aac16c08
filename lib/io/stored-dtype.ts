// The number types of a safetensors file, each with its width and the typed array that holds it. JavaScript has no array
// of 16-bit floats or booleans: F16 and BF16 come as their bit patterns in a Uint16Array, BOOL as bytes.

export type StoredDtype = "F64" | "F32" | "F16" | "BF16" | "I64" | "I32" | "I16" | "I8" | "U8" | "BOOL";

export type StoredArray =
  | Float64Array
  | Float32Array
  | Uint16Array
  | BigInt64Array
  | Int32Array
  | Int16Array
  | Int8Array
  | Uint8Array;

interface StoredType {
  readonly bytes: number;
  readonly array: {
    new (buffer: ArrayBuffer): StoredArray;
    readonly name: string;
  };
}

export const storedTypes: Record<StoredDtype, StoredType> = {
  F64: { bytes: 8, array: Float64Array },
  F32: { bytes: 4, array: Float32Array },
  F16: { bytes: 2, array: Uint16Array },
  BF16: { bytes: 2, array: Uint16Array },
  I64: { bytes: 8, array: BigInt64Array },
  I32: { bytes: 4, array: Int32Array },
  I16: { bytes: 2, array: Int16Array },
  I8: { bytes: 1, array: Int8Array },
  U8: { bytes: 1, array: Uint8Array },
  BOOL: { bytes: 1, array: Uint8Array },
};

export function isStoredDtype(name: unknown): name is StoredDtype {
  return typeof name === "string" && Object.hasOwn(storedTypes, name);
}

/** The product of a shape; 1 for a scalar. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((count, side) => count * side, 1);
}
