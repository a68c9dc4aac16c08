// Reading and writing safetensors files. Reading checks the whole header first and then reads tensors one by one, so the
// memory in use is that of one tensor. Both ways are synchronous: a write sees one consistent state of its arrays. Numbers
// are little-endian, as on every machine this package runs on.

import { VideomaeError } from "../errors.js";
import { type ByteSink, writeFileAtomic } from "./atomic-file.js";
import { FileBytes } from "./file-bytes.js";
import {
  corrupt,
  encodeHeader,
  type Header,
  MAX_HEADER_BYTES,
  type PlacedEntry,
  parseHeader,
} from "./safetensors-header.js";
import { elementCount, isStoredDtype, type StoredArray, type StoredDtype, storedTypes } from "./stored-dtype.js";
import {
  checkRange,
  noSuchTensor,
  readTensor,
  requireStored,
  type StoredEntry,
  type TensorFile,
} from "./tensor-file.js";

export type { StoredArray, StoredDtype } from "./stored-dtype.js";
export type { StoredEntry } from "./tensor-file.js";

/** A tensor to be written: `data` holds the product of `shape` elements, row-major. */
export interface StoredTensor {
  readonly name: string;
  readonly dtype: StoredDtype;
  readonly shape: readonly number[];
  readonly data: StoredArray;
}

const CHUNK = 2 ** 26;
const PAGE = 4096;

/** An open safetensors file; close it, or hold it by `using`. */
export class SafetensorsFile implements TensorFile {
  readonly path: string;
  readonly metadata: ReadonlyMap<string, string>;
  /** Tensor names in the order of their data. */
  readonly names: readonly string[];
  readonly #file: FileBytes;
  readonly #header: Header;
  readonly #dataStart: number;

  /** @internal Use `openSafetensors`. */
  constructor(file: FileBytes, header: Header, dataStart: number) {
    this.path = file.path;
    this.metadata = header.metadata;
    this.names = [...header.entries.keys()];
    this.#file = file;
    this.#header = header;
    this.#dataStart = dataStart;
  }

  /** Whether there is a tensor of this name. */
  has(name: string): boolean {
    return this.#header.entries.has(name);
  }

  /** Type and shape of a tensor; throws when there is none of this name. */
  entry(name: string): StoredEntry {
    return this.#placed(name);
  }

  /** Reads one tensor, row-major: F16 and BF16 as bit patterns in a Uint16Array, I64 as bigint, BOOL as bytes. */
  read(name: string): StoredArray {
    return readTensor(this, name);
  }

  /**
   * Reads all tensors into one buffer that they share, as fast as the file can be read; `read` keeps memory at one tensor.
   * A tensor that does not begin at a multiple of its width, as mixed dtypes may have it, is copied out.
   */
  readAll(): Map<string, StoredArray> {
    for (const name of this.names) requireStored(this, name);
    // Data at the same place in a page as in the file, so that a page of it is copied whole: 10 % less time.
    const lead = (this.#dataStart % PAGE) & ~7;
    const buffer = new ArrayBuffer(lead + this.#file.size - this.#dataStart);
    this.#file.read(new Uint8Array(buffer, lead), this.#dataStart);
    const tensors = new Map<string, StoredArray>();
    for (const [name, { begin, byteLength }] of this.#header.entries) {
      const { bytes, array } = storedTypes[requireStored(this, name)];
      const at = lead + begin;
      const own = at % bytes === 0 ? ([buffer, at] as const) : ([buffer.slice(at, at + byteLength), 0] as const);
      tensors.set(name, new array(...own, byteLength / bytes));
    }
    return tensors;
  }

  readBytes(name: string, target: Uint8Array, offset = 0): void {
    const { begin, byteLength } = this.#placed(name);
    checkRange(this.path, name, byteLength, offset, target.byteLength);
    this.#file.read(target, this.#dataStart + begin + offset);
  }

  /** The bytes of the whole data section in chunks, in file order; a chunk is valid until the next one is asked for. */
  *chunks(): Generator<Uint8Array> {
    let left = this.#file.size - this.#dataStart;
    const buffer = new Uint8Array(Math.min(CHUNK, left));
    for (let at = this.#dataStart; left > 0; ) {
      const chunk = buffer.subarray(0, Math.min(CHUNK, left));
      this.#file.read(chunk, at);
      yield chunk;
      at += chunk.byteLength;
      left -= chunk.byteLength;
    }
  }

  /** Closes the file; a second call does nothing. */
  close(): void {
    this.#file.close();
  }

  /** The same as `close()`. */
  [Symbol.dispose](): void {
    this.close();
  }

  #placed(name: string): PlacedEntry {
    const entry = this.#header.entries.get(name);
    if (entry) return entry;
    throw noSuchTensor(this.path, name, this.names);
  }
}

/**
 * Opens a safetensors file and checks its header: lengths, JSON, types, shapes, offsets, names.
 *
 * @throws VideomaeError that names the file, the tensor and what is wrong with it.
 */
export function openSafetensors(path: string): SafetensorsFile {
  const file = FileBytes.open(path);
  try {
    if (file.size < 8) throw corrupt(path, "at least 8 bytes", `${file.size} bytes`);
    const length = new Uint8Array(8);
    file.read(length, 0);
    const headerBytes = Number(new DataView(length.buffer).getBigUint64(0, true));
    if (headerBytes > Math.min(file.size - 8, MAX_HEADER_BYTES)) {
      const room = headerBytes > MAX_HEADER_BYTES ? MAX_HEADER_BYTES : `${file.size - 8} of this file`;
      throw corrupt(path, `a header of at most ${room} bytes`, `a length field of ${headerBytes}`);
    }
    const header = new Uint8Array(headerBytes);
    file.read(header, 8);
    const dataStart = 8 + headerBytes;
    return new SafetensorsFile(file, parseHeader(path, header, file.size - dataStart), dataStart);
  } catch (error) {
    file.close();
    throw error;
  }
}

/**
 * Writes tensors in the order given, atomically: an existing file at `path` is replaced whole or not at all.
 *
 * @throws VideomaeError when a tensor's data does not fit its dtype and shape, a name occurs twice, or writing fails.
 */
export function writeSafetensors(
  path: string,
  tensors: Iterable<StoredTensor>,
  metadata: Readonly<Record<string, string>> = {},
): void {
  const list = [...tensors];
  const entries = placeTensors(path, list);
  const header = encodeHeader(entries, new Map(Object.entries(metadata)));
  if (header.byteLength - 8 > MAX_HEADER_BYTES) {
    const got = `${header.byteLength - 8} bytes`;
    throw new VideomaeError({ op: `write ${path}`, expected: `a header of at most ${MAX_HEADER_BYTES} bytes`, got });
  }
  writeFileAtomic(path, (sink) => {
    sink(header);
    writeData(list, sink);
  });
}

/** Feeds the data section of a file of `tensors` to a sink. */
export function writeData(tensors: Iterable<StoredTensor>, sink: ByteSink): void {
  for (const { data } of tensors) sink(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
}

function placeTensors(path: string, tensors: readonly StoredTensor[]): ReadonlyMap<string, PlacedEntry> {
  const entries = new Map<string, PlacedEntry>();
  let begin = 0;
  for (const { name, dtype, shape, data } of tensors) {
    const op = `write ${path}: tensor "${name}"`;
    if (entries.has(name))
      throw new VideomaeError({ op, expected: "a name that occurs once", got: "the same name twice" });
    if (name === "__metadata__") throw new VideomaeError({ op, expected: "another name: this one is reserved" });
    if (!isStoredDtype(dtype)) throw new VideomaeError({ op, expected: "a safetensors dtype", got: String(dtype) });
    const { array } = storedTypes[dtype];
    const fits = data instanceof array && data.length === elementCount(shape) && shape.every(Number.isSafeInteger);
    if (!fits) {
      const expected = `${array.name} of ${elementCount(shape)} elements for ${dtype}[${shape.join(",")}]`;
      throw new VideomaeError({ op, expected, got: `${data.constructor.name} of ${data.length}` });
    }
    entries.set(name, { dtype, shape, begin, byteLength: data.byteLength });
    begin += data.byteLength;
  }
  return entries;
}
