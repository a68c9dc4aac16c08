// What every file of tensors offers, whatever its format: names, and for each a type, a shape and bytes that are read
// when asked for. The bytes of a tensor are row-major and little-endian.

import { nearest, VideomaeError } from "../errors.js";
import { isStoredDtype, type StoredArray, type StoredDtype, storedTypes } from "./stored-dtype.js";

/** A tensor's description. */
export interface StoredEntry {
  /** One of `StoredDtype`, or the name of a type that can be listed and not read, e.g. `F8_E4M3`. */
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly byteLength: number;
}

/** A file of named tensors, whatever its format. Tensors are read when they are asked for. */
export interface TensorFile {
  readonly path: string;
  readonly names: readonly string[];
  /** Whether there is a tensor of this name. */
  has(name: string): boolean;
  /** Type and shape of a tensor; throws when there is none of this name. */
  entry(name: string): StoredEntry;
  /** Copies the bytes of a tensor from `offset` on until `target` is full. */
  readBytes(name: string, target: Uint8Array, offset?: number): void;
  /** Closes the file; a second call does nothing. */
  close(): void;
}

/** Reads one tensor into an array of its own: F16 and BF16 as bit patterns, I64 and U64 as bigint, BOOL as bytes. */
export function readTensor(file: TensorFile, name: string): StoredArray {
  const dtype = requireStored(file, name);
  const buffer = new ArrayBuffer(file.entry(name).byteLength);
  file.readBytes(name, new Uint8Array(buffer));
  return new storedTypes[dtype].array(buffer);
}

/** The dtype of a tensor, which must be one that can be read. */
export function requireStored(file: TensorFile, name: string): StoredDtype {
  const { dtype } = file.entry(name);
  if (isStoredDtype(dtype)) return dtype;
  throw new VideomaeError({
    op: `read ${file.path}: tensor "${name}"`,
    expected: `a dtype out of ${Object.keys(storedTypes).join(", ")}`,
    got: dtype,
    hint: "convert the file to one of these",
  });
}

/** The error for a name that a file does not have. */
export function noSuchTensor(path: string, name: string, names: readonly string[]): VideomaeError {
  const near = nearest(name, names);
  return new VideomaeError({
    op: `read ${path}`,
    expected: `a tensor named "${name}"`,
    got: `a file of ${names.length} tensors without it`,
    hint: near ? `did you mean "${near}"?` : "see the names of the file",
  });
}

/** Throws unless bytes [offset, offset + length) lie inside a tensor of `byteLength` bytes. */
export function checkRange(path: string, name: string, byteLength: number, offset: number, length: number): void {
  if (Number.isSafeInteger(offset) && offset >= 0 && offset + length <= byteLength) return;
  throw new VideomaeError({
    op: `read ${path}: tensor "${name}"`,
    expected: `a range inside its ${byteLength} bytes`,
    got: `${length} bytes from ${offset} on`,
  });
}
