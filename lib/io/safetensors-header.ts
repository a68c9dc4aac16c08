// The header of a safetensors file: 8 bytes little-endian length, then that many bytes of JSON
//   { "__metadata__": { key: text }, "<tensor>": { "dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end] }, ... }
// padded with spaces, then the data; offsets count from the first data byte. Everything is checked before any tensor is
// read: a file that passes has tensors that tile the data exactly, without gap, overlap or duplicate.

import { DamagedFileError } from "./damaged-file.js";
import { dtypeWidth, elementCount } from "./stored-dtype.js";
import { DuplicateKeyError, parseStrictJson } from "./strict-json.js";
import type { StoredEntry } from "./tensor-file.js";

/** No real model needs more, and a corrupt length must not allocate the machine away. */
export const MAX_HEADER_BYTES = 100_000_000;

export interface PlacedEntry extends StoredEntry {
  /** Offset of its first byte in the data section. */
  readonly begin: number;
}

export interface Header {
  readonly metadata: ReadonlyMap<string, string>;
  /** By name, in the order of their data. */
  readonly entries: ReadonlyMap<string, PlacedEntry>;
}

/** Parses and checks the JSON of a header against a data section of `dataBytes`. `path` is for messages. */
export function parseHeader(path: string, bytes: Uint8Array, dataBytes: number): Header {
  const text = decode(path, bytes);
  const record = parseObject(path, text);
  const entries = new Map<string, PlacedEntry>();
  for (const [name, value] of Object.entries(record)) {
    if (name !== "__metadata__") entries.set(name, checkEntry(path, name, value, dataBytes));
  }
  return { metadata: checkMetadata(path, record.__metadata__), entries: checkTiling(path, entries, dataBytes) };
}

/** The bytes of a header, length field and padding included: a multiple of 8 long. */
export function encodeHeader(
  entries: ReadonlyMap<string, PlacedEntry>,
  metadata: ReadonlyMap<string, string>,
): Uint8Array {
  const fields: string[] = [];
  if (metadata.size > 0) fields.push(`"__metadata__":${JSON.stringify(Object.fromEntries(metadata))}`);
  for (const [name, { dtype, shape, begin, byteLength }] of entries) {
    fields.push(
      `${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [begin, begin + byteLength] })}`,
    );
  }
  const json = new TextEncoder().encode(`{${fields.join(",")}}`);
  const padded = Math.ceil(json.byteLength / 8) * 8;
  const header = new Uint8Array(8 + padded).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(padded), true);
  header.set(json, 8);
  return header;
}

function decode(path: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw corrupt(path, "a header in UTF-8", "other bytes", cause);
  }
}

function parseObject(path: string, text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = parseStrictJson(text);
  } catch (cause) {
    if (cause instanceof DuplicateKeyError) throw corrupt(path, "a header with each name once", cause.message);
    throw corrupt(path, "a header in JSON", (cause as Error).message, cause);
  }
  if (isRecord(value)) return value;
  throw corrupt(path, "a header that is a JSON object", text.slice(0, 40));
}

function checkMetadata(path: string, value: unknown): ReadonlyMap<string, string> {
  const metadata = new Map<string, string>();
  if (value === undefined) return metadata;
  if (!isRecord(value)) throw corrupt(`${path}: __metadata__`, "an object of strings", JSON.stringify(value));
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== "string") throw corrupt(`${path}: __metadata__.${key}`, "a string", JSON.stringify(text));
    metadata.set(key, text);
  }
  return metadata;
}

function checkEntry(path: string, name: string, value: unknown, dataBytes: number): PlacedEntry {
  const where = `${path}: tensor "${name}"`;
  if (!isRecord(value)) throw corrupt(where, "dtype, shape and data_offsets", JSON.stringify(value));
  const { dtype, shape, data_offsets: offsets } = value;
  if (typeof dtype !== "string" || !/^[A-Z][A-Z0-9_]*$/.test(dtype)) {
    throw corrupt(where, "the name of a dtype", JSON.stringify(dtype));
  }
  if (!Array.isArray(shape) || !shape.every(isSize) || !isSize(elementCount(shape))) {
    throw corrupt(where, "a shape of integers from 0 on", JSON.stringify(shape));
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isSize) || offsets[0] > offsets[1]) {
    throw corrupt(where, "data_offsets [begin, end]", JSON.stringify(offsets));
  }
  const [begin, end] = offsets as [number, number];
  const width = dtypeWidth(dtype);
  const byteLength = end - begin;
  if (width !== undefined && byteLength !== elementCount(shape) * width) {
    throw corrupt(
      where,
      `${elementCount(shape) * width} bytes for ${dtype}[${shape.join(",")}]`,
      `${byteLength} bytes`,
    );
  }
  if (end > dataBytes)
    throw corrupt(where, `data up to byte ${end}`, `a file with ${dataBytes} data bytes (truncated)`);
  return { dtype, shape, begin, byteLength };
}

/** Checks that the tensors cover the data without gap or overlap, and returns them in its order. */
function checkTiling(
  path: string,
  entries: ReadonlyMap<string, PlacedEntry>,
  dataBytes: number,
): ReadonlyMap<string, PlacedEntry> {
  const order = [...entries].sort(([, a], [, b]) => a.begin - b.begin || a.byteLength - b.byteLength);
  let end = 0;
  for (const [name, { begin, byteLength }] of order) {
    const fault = begin > end ? "a gap before it" : "an overlap with the tensor before it";
    if (begin !== end)
      throw corrupt(`${path}: tensor "${name}"`, `its data to begin at byte ${end}`, `${begin}: ${fault}`);
    end = begin + byteLength;
  }
  if (end !== dataBytes) throw corrupt(path, `${end} data bytes`, `${dataBytes}: bytes that belong to no tensor`);
  return new Map(order);
}

/** The error of a file that is damaged or was never a safetensors file. */
export function corrupt(op: string, expected: string, got: string, cause?: unknown): DamagedFileError {
  const hint = "the file is damaged or is not a safetensors file: download or write it again";
  return new DamagedFileError({ op, expected, got, hint, cause });
}

function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
