// An append-only log of one JSON object a line. A crash can cut only the last line; opening the log again cuts that
// remnant off, and a line that could be written only in part gives way to the next one, so every line stays readable. JSON has no NaN
// or infinity: such a number is written as null and its name is listed in the line's `nonFinite` field.

import {
  closeSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readFileSync,
  readSync,
  statSync,
  writeSync,
} from "node:fs";
import { VideomaeError } from "../errors.js";

/** One line of a log. */
export type LogRecord = Readonly<Record<string, unknown>>;

/** An open log; every `write` is one whole line handed to the system at once. */
export class JsonlLog {
  readonly path: string;
  #file: number | undefined;
  #bytes: number;
  /** Whether a part of a line may lie after the whole ones. */
  #torn = false;

  /** @internal Use `openJsonl`. */
  constructor(path: string, file: number, bytes: number) {
    this.path = path;
    this.#file = file;
    this.#bytes = bytes;
  }

  /** Length of the log in bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Appends one object.
   * @throws VideomaeError when the file system refuses; the next line then takes the place of this one
   */
  write(record: LogRecord): void {
    const file = this.#open();
    const line = new TextEncoder().encode(`${encodeRecord(record)}\n`);
    try {
      if (this.#torn) ftruncateSync(file, this.#bytes);
      this.#torn = true;
      for (let at = 0; at < line.byteLength; ) at += writeSync(file, line, at);
    } catch (cause) {
      throw failed("write", this.path, cause);
    }
    this.#torn = false;
    this.#bytes += line.byteLength;
  }

  /**
   * Waits until everything written lies on the disk.
   * @throws VideomaeError when the file system refuses, or the file is no longer where it was
   */
  flush(): void {
    const file = this.#open();
    try {
      fsyncSync(file);
      if (statSync(this.path).ino !== fstatSync(file).ino) throw new Error("another file has taken its place");
    } catch (cause) {
      throw failed("write", this.path, cause);
    }
  }

  /** Closes the log; a second call does nothing. */
  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  /** The same as `close()`. */
  [Symbol.dispose](): void {
    this.close();
  }

  #open(): number {
    if (this.#file !== undefined) return this.#file;
    throw new VideomaeError({ op: `log ${this.path}`, expected: "an open log", got: "one that was closed" });
  }
}

/**
 * Opens a log for appending, created if absent; an unfinished last line is cut off.
 * @param path  of the log
 * @param options  `bytes`: cut it to this length first, where it is longer
 */
export function openJsonl(
  path: string,
  { bytes = Number.POSITIVE_INFINITY }: { readonly bytes?: number } = {},
): JsonlLog {
  let file: number;
  try {
    file = openSync(path, "a+");
  } catch (cause) {
    throw failed("open", path, cause);
  }
  try {
    const end = endOfLastLine(file, Math.min(bytes, fstatSync(file).size));
    ftruncateSync(file, end);
    return new JsonlLog(path, file, end);
  } catch (cause) {
    closeSync(file);
    throw failed("repair", path, cause);
  }
}

/** All objects of a log in order; an unfinished last line is left out, any other broken line is an error with its number. */
export function readJsonl(path: string): LogRecord[] {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    throw failed("read", path, cause);
  }
  const lines = text.split("\n");
  lines.pop(); // empty after a newline, else the remnant of a crash
  return lines.map((line, index) => {
    const record = parseRecord(line);
    if (record !== undefined) return record;
    throw new VideomaeError({
      op: `${path}:${index + 1}`,
      expected: "one JSON object",
      got: line.length > 60 ? `${line.slice(0, 60)}…` : line,
      hint: "remove the line",
    });
  });
}

/** The object of a line without its newline; undefined where it holds none. */
export function parseRecord(line: string): LogRecord | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as LogRecord) : undefined;
  } catch {
    return undefined;
  }
}

/** One line without its newline. */
export function encodeRecord(record: LogRecord): string {
  const nonFinite: string[] = [];
  const clean = replaceNonFinite(record, "", nonFinite) as LogRecord;
  return JSON.stringify(nonFinite.length > 0 ? { ...clean, nonFinite } : clean);
}

function replaceNonFinite(value: unknown, name: string, nonFinite: string[]): unknown {
  if (typeof value === "number" && !Number.isFinite(value)) {
    nonFinite.push(name);
    return null;
  }
  if (typeof value !== "object" || value === null) return value;
  const inside = (key: string | number, item: unknown) =>
    replaceNonFinite(item, name === "" ? String(key) : `${name}.${key}`, nonFinite);
  if (Array.isArray(value)) return value.map((item, index) => inside(index, item));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, inside(key, item)]));
}

/** The offset after the last newline of the first `bytes` bytes, found from the end backward. */
function endOfLastLine(file: number, bytes: number): number {
  const block = new Uint8Array(65536);
  for (let end = bytes; end > 0; ) {
    const begin = Math.max(0, end - block.byteLength);
    const got = readSync(file, block, 0, end - begin, begin);
    const newline = block.subarray(0, got).lastIndexOf(0x0a);
    if (newline >= 0) return begin + newline + 1;
    end = begin;
  }
  return 0;
}

function failed(operation: string, path: string, cause: unknown): VideomaeError {
  const hint = "check that the folder exists, can be written to and has space left";
  return new VideomaeError({ op: `${operation} ${path}`, got: (cause as Error).message, hint, cause });
}
