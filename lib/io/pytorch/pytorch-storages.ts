// The storages of a PyTorch file, and tensors read from them. A storage is a range of the file; a tensor is a view of one,
// most often the whole of it. The checksum of a storage is compared before the first tensor of it is read: one more pass
// over bytes that the second pass then finds in memory.

import { zlib } from "../../library.js";
import { DamagedFileError } from "../damaged-file.js";
import type { FileBytes } from "../file-bytes.js";
import { dtypeWidth } from "../stored-dtype.js";
import type { PickledStorage, PickledTensor } from "./pickle-values.js";
import { gatherView, isContiguous, viewBytes } from "./strided-view.js";

/** Where a storage lies in the file. */
export interface StorageRange {
  readonly begin: number;
  readonly byteLength: number;
  /** Its checksum; 0 where the writer computed none. */
  readonly crc32: number;
}

const CHUNK = 2 ** 22;

export class PytorchStorages {
  readonly #file: FileBytes;
  readonly #ranges: ReadonlyMap<string, StorageRange>;
  readonly #checked = new Set<string>();
  /** The last tensor that had to be gathered: its parts are asked for one after the other. */
  #gathered: { readonly tensor: PickledTensor; readonly bytes: Uint8Array } | undefined;

  /**
   * @param needed  what the pickle names: each must be there, in its full length
   * @throws DamagedFileError for one that is not
   */
  constructor(file: FileBytes, ranges: ReadonlyMap<string, StorageRange>, needed: Iterable<PickledStorage>) {
    this.#file = file;
    this.#ranges = ranges;
    for (const { key, storedBytes } of needed) {
      const got = ranges.get(key)?.byteLength;
      if (got === storedBytes) continue;
      throw badStorage(file.path, key, `${storedBytes} bytes`, got === undefined ? "no such storage" : `${got} bytes`);
    }
  }

  /** Copies the bytes of a tensor, row-major, from `offset` on until `target` is full. */
  read(tensor: PickledTensor, target: Uint8Array, offset: number): void {
    const range = this.#range(tensor.storage.key);
    const first = range.begin + tensor.storage.begin + tensor.offset * (dtypeWidth(tensor.dtype) as number);
    if (isContiguous(tensor)) this.#file.read(target, first + offset);
    else target.set(this.#gather(tensor, range, first).subarray(offset, offset + target.byteLength));
  }

  #gather(tensor: PickledTensor, range: StorageRange, first: number): Uint8Array {
    if (this.#gathered?.tensor !== tensor) {
      this.#gathered = undefined;
      const span = new Uint8Array(range.begin + range.byteLength - first);
      this.#file.read(span, first);
      const bytes = new Uint8Array(viewBytes(tensor));
      gatherView(tensor, span, bytes);
      this.#gathered = { tensor, bytes };
    }
    return this.#gathered.bytes;
  }

  #range(key: string): StorageRange {
    const range = this.#ranges.get(key) as StorageRange;
    if (!this.#checked.has(key)) {
      checkSum(this.#file, `storage "${key}"`, range);
      this.#checked.add(key);
    }
    return range;
  }
}

/** Compares the checksum of a range. @throws DamagedFileError when its bytes are not those that were written */
export function checkSum(file: FileBytes, what: string, { begin, byteLength, crc32: expected }: StorageRange): void {
  if (expected === 0) return;
  let sum = 0;
  const buffer = new Uint8Array(Math.min(CHUNK, byteLength));
  for (let at = 0; at < byteLength; at += CHUNK) {
    const chunk = buffer.subarray(0, Math.min(CHUNK, byteLength - at));
    file.read(chunk, begin + at);
    sum = zlib().crc32(chunk, sum);
  }
  if (sum === expected) return;
  const hex = (value: number) => value.toString(16).padStart(8, "0");
  throw new DamagedFileError({
    op: `${file.path}: ${what}`,
    expected: `bytes with checksum ${hex(expected)}`,
    got: hex(sum),
    hint: "the file is damaged: download or write it again",
  });
}

function badStorage(path: string, key: string, expected: string, got: string): DamagedFileError {
  const hint = "the file is damaged or cut short: download or write it again";
  return new DamagedFileError({ op: `${path}: storage "${key}"`, expected, got, hint });
}
