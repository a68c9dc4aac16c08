// What a pickle can turn into here: plain data, and descriptions of tensors whose numbers stay in the file.
//
//   Python                               here
//   None, bool, str, float               null, boolean, string, number
//   int                                  number where that is exact, else bigint
//   bytes, bytearray                     Uint8Array
//   list, tuple, torch.Size              array
//   dict, OrderedDict, Counter, ...      Map
//   set, frozenset                       Set
//   argparse.Namespace                   Namespace
//   torch.float32, numpy.dtype, classes  Name: the dotted name alone

import { DamagedFileError } from "../damaged-file.js";

/** A storage of a PyTorch file: bytes under a key, or a part of them. */
export class PickledStorage {
  /** @param dtype  of its elements; undefined for untyped bytes */
  constructor(
    readonly key: string,
    readonly dtype: string | undefined,
    /** Bytes of the whole storage of this key. */
    readonly storedBytes: number,
    /** Where this one begins in it, and its length: less than the whole only for views of very old files. */
    readonly begin: number,
    readonly byteLength: number,
  ) {}
}

/** A tensor as a view of a storage: element (i, j, ...) lies at offset + i * strides[0] + j * strides[1] + ... */
export class PickledTensor {
  constructor(
    readonly storage: PickledStorage,
    readonly dtype: string,
    /** In elements, as are the strides. */
    readonly offset: number,
    readonly shape: readonly number[],
    readonly strides: readonly number[],
  ) {}
}

/** The fields of an argparse.Namespace. */
export class Namespace {
  readonly fields = new Map<string, PickledValue>();
}

/** A class, function or constant of Python: its name, and nothing that could run. */
export class Name {
  constructor(readonly name: string) {}
}

/** A numpy.dtype: its code, e.g. `f8`. */
export class NumpyDtype {
  constructor(readonly code: string) {}
}

export type PickledValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickledValue[]
  | Map<PickledValue, PickledValue>
  | Set<PickledValue>
  | Namespace
  | Name
  | NumpyDtype
  | PickledStorage
  | PickledTensor;

/** The values inside a container; none for anything else. */
export function childrenOf(value: PickledValue): readonly PickledValue[] {
  if (Array.isArray(value)) return value;
  if (value instanceof Set) return [...value];
  if (value instanceof Map) return [...value].flat();
  return value instanceof Namespace ? [...value.fields.values()] : [];
}

/** A value's type, for messages. */
export function kindOf(value: PickledValue): string {
  if (value === null) return "None";
  if (value instanceof Name) return value.name;
  return typeof value === "object" ? value.constructor.name : typeof value;
}

/** A value for messages: itself where it is short, else its type. Containers may share containers, so none is written out. */
export function shown(value: PickledValue | undefined): string {
  if (typeof value === "string") return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}...` : value);
  if (value === undefined || value === null || typeof value === "object") return kindOf(value ?? null);
  return typeof value === "bigint" ? "an integer beyond 2^53" : String(value);
}

/** The error of a pickle that is damaged or no checkpoint. */
export function badPickle(op: string, expected: string, got: string, hint?: string): DamagedFileError {
  const damaged = "the file is damaged, or no checkpoint: download or write it again";
  return new DamagedFileError({ op, expected, got, hint: hint ?? damaged });
}
