// Reading and writing safetensors files. Reading checks the whole header first and then reads tensors one by one, so the
// memory in use is that of one tensor. Both ways are synchronous: a write sees one consistent state of its arrays. Numbers
// are little-endian, as on every machine this package runs on.

import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { nearest, VideomaeError } from "../errors.js";
import { type ByteSink, explainFileError, writeFileAtomic } from "./atomic-file.js";
import {
  corrupt,
  encodeHeader,
  type Header,
  MAX_HEADER_BYTES,
  type PlacedEntry,
  parseHeader,
  type StoredEntry,
} from "./safetensors-header.js";
import { elementCount, isStoredDtype, type StoredArray, type StoredDtype, storedTypes } from "./stored-dtype.js";

export type { StoredEntry } from "./safetensors-header.js";
export type { StoredArray, StoredDtype } from "./stored-dtype.js";

/** A tensor to be written: `data` holds the product of `shape` elements, row-major. */
export interface StoredTensor {
  readonly name: string;
  readonly dtype: StoredDtype;
  readonly shape: readonly number[];
  readonly data: StoredArray;
}

const CHUNK = 2 ** 26;

/** An open safetensors file; close it, or hold it by `using`. */
export class SafetensorsFile {
  readonly path: string;
  readonly metadata: ReadonlyMap<string, string>;
  /** Tensor names in the order of their data. */
  readonly names: readonly string[];
  readonly #header: Header;
  readonly #dataStart: number;
  #file: number | undefined;

  /** @internal Use `openSafetensors`. */
  constructor(path: string, file: number, header: Header, dataStart: number) {
    this.path = path;
    this.metadata = header.metadata;
    this.names = [...header.entries.keys()];
    this.#header = header;
    this.#dataStart = dataStart;
    this.#file = file;
  }

  has(name: string): boolean {
    return this.#header.entries.has(name);
  }

  /** Type and shape of a tensor; throws when there is none of this name. */
  entry(name: string): StoredEntry {
    return this.#placed(name);
  }

  /** Reads one tensor, row-major: F16 and BF16 as bit patterns in a Uint16Array, I64 as bigint, BOOL as bytes. */
  read(name: string): StoredArray {
    const { dtype, begin, byteLength } = this.#placed(name);
    const buffer = new ArrayBuffer(byteLength);
    readExactly(this.path, this.#open(), new Uint8Array(buffer), this.#dataStart + begin);
    return new storedTypes[dtype].array(buffer);
  }

  /** The bytes of the whole data section in chunks, in file order; a chunk is valid until the next one is asked for. */
  *chunks(): Generator<Uint8Array> {
    let left = 0;
    for (const { byteLength } of this.#header.entries.values()) left += byteLength;
    const buffer = new Uint8Array(Math.min(CHUNK, left));
    for (let at = this.#dataStart; left > 0; ) {
      const chunk = buffer.subarray(0, Math.min(CHUNK, left));
      readExactly(this.path, this.#open(), chunk, at);
      yield chunk;
      at += chunk.byteLength;
      left -= chunk.byteLength;
    }
  }

  /** Closes the file; a second call does nothing. */
  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #open(): number {
    if (this.#file !== undefined) return this.#file;
    throw new VideomaeError({ op: `read ${this.path}`, expected: "an open file", got: "one that was closed" });
  }

  #placed(name: string): PlacedEntry {
    const entry = this.#header.entries.get(name);
    if (entry) return entry;
    const near = nearest(name, this.names);
    throw new VideomaeError({
      op: `read ${this.path}`,
      expected: `a tensor named "${name}"`,
      got: `a file of ${this.names.length} tensors without it`,
      hint: near ? `did you mean "${near}"?` : "see the names of the file",
    });
  }
}

/**
 * Opens a safetensors file and checks its header: lengths, JSON, types, shapes, offsets, names.
 *
 * @throws VideomaeError that names the file, the tensor and what is wrong with it.
 */
export function openSafetensors(path: string): SafetensorsFile {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch (cause) {
    throw explainFileError("open", path, cause);
  }
  try {
    const { size } = fstatSync(file);
    if (size < 8) throw corrupt(path, "at least 8 bytes", `${size} bytes`);
    const length = new Uint8Array(8);
    readExactly(path, file, length, 0);
    const headerBytes = Number(new DataView(length.buffer).getBigUint64(0, true));
    if (headerBytes > Math.min(size - 8, MAX_HEADER_BYTES)) {
      const room = headerBytes > MAX_HEADER_BYTES ? `at most ${MAX_HEADER_BYTES}` : `at most ${size - 8} of this file`;
      throw corrupt(path, `a header of ${room} bytes`, `a length field of ${headerBytes}`);
    }
    const header = new Uint8Array(headerBytes);
    readExactly(path, file, header, 8);
    const dataStart = 8 + headerBytes;
    return new SafetensorsFile(path, file, parseHeader(path, header, size - dataStart), dataStart);
  } catch (cause) {
    closeSync(file);
    throw explainFileError("read", path, cause);
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

function readExactly(path: string, file: number, into: Uint8Array, position: number): void {
  for (let at = 0; at < into.byteLength; ) {
    let got: number;
    try {
      got = readSync(file, into, at, Math.min(CHUNK, into.byteLength - at), position + at);
    } catch (cause) {
      throw explainFileError("read", path, cause);
    }
    if (got === 0) throw corrupt(path, `${into.byteLength} bytes at ${position}`, `the end of the file after ${at}`);
    at += got;
  }
}
