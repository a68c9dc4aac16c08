// The number types of stored tensors, by their safetensors names, each with its width and the typed array that holds it.
// JavaScript has no array of 16-bit floats or booleans: F16 and BF16 come as their bit patterns in a Uint16Array, BOOL as
// bytes. A file may hold types beyond these (8-bit floats, complex numbers): they can be listed, not read.

/** Types of numbers that can be read, as safetensors calls them. */
export type StoredDtype =
  | "F64"
  | "F32"
  | "F16"
  | "BF16"
  | "I64"
  | "I32"
  | "I16"
  | "I8"
  | "U64"
  | "U32"
  | "U16"
  | "U8"
  | "BOOL";

/** The numbers of a stored tensor as JavaScript has them. */
export type StoredArray =
  | Float64Array
  | Float32Array
  | Uint16Array
  | BigInt64Array
  | BigUint64Array
  | Int32Array
  | Uint32Array
  | Int16Array
  | Int8Array
  | Uint8Array;

interface StoredType {
  readonly bytes: number;
  readonly array: {
    new (buffer: ArrayBuffer, byteOffset?: number, length?: number): StoredArray;
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
  U64: { bytes: 8, array: BigUint64Array },
  U32: { bytes: 4, array: Uint32Array },
  U16: { bytes: 2, array: Uint16Array },
  U8: { bytes: 1, array: Uint8Array },
  BOOL: { bytes: 1, array: Uint8Array },
};

/** Types that are listed and not read. */
const opaqueWidths: Readonly<Record<string, number>> = { F8_E4M3: 1, F8_E5M2: 1, F8_E8M0: 1, C64: 8, C128: 16 };

export function isStoredDtype(name: unknown): name is StoredDtype {
  return typeof name === "string" && Object.hasOwn(storedTypes, name);
}

/** Bytes of an element; undefined for a type that this package has never heard of. */
export function dtypeWidth(name: string): number | undefined {
  if (isStoredDtype(name)) return storedTypes[name].bytes;
  return Object.hasOwn(opaqueWidths, name) ? opaqueWidths[name] : undefined;
}

/** The product of a shape; 1 for a scalar. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((count, side) => count * side, 1);
}
