// The bytes of a pickle, taken one after the other from a range of a file through a window of 64 KiB, because the length
// of a pickle is known only at its end. What is taken must lie in the range, so a length that lies allocates nothing.

import { DamagedFileError } from "../damaged-file.js";
import type { FileBytes } from "../file-bytes.js";

const WINDOW = 2 ** 16;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export class PickleBytes {
  readonly #file: FileBytes;
  readonly #end: number;
  #window = new Uint8Array(0);
  #view = new DataView(this.#window.buffer);
  #at = 0; // in the window
  #windowEnd: number; // in the file

  /** Reads `file` from byte `begin` up to `end`. */
  constructor(file: FileBytes, begin: number, end: number) {
    this.#file = file;
    this.#windowEnd = begin;
    this.#end = end;
  }

  /** Where the next byte lies in the file. */
  get position(): number {
    return this.#windowEnd - this.#window.byteLength + this.#at;
  }

  byte(): number {
    const at = this.#advance(1);
    return this.#view.getUint8(at);
  }

  uint16(): number {
    const at = this.#advance(2);
    return this.#view.getUint16(at, true);
  }

  uint32(): number {
    const at = this.#advance(4);
    return this.#view.getUint32(at, true);
  }

  int32(): number {
    const at = this.#advance(4);
    return this.#view.getInt32(at, true);
  }

  /** A length or count of 8 bytes. */
  uint64(): number {
    const at = this.#advance(8);
    return Number(this.#view.getBigUint64(at, true));
  }

  /** The one number that pickles store big-endian. */
  float64(): number {
    const at = this.#advance(8);
    return this.#view.getFloat64(at, false);
  }

  /** A copy of the next `length` bytes. */
  bytes(length: number): Uint8Array {
    if (length <= WINDOW) {
      const from = this.#advance(length);
      return this.#window.slice(from, from + length);
    }
    this.#require(length);
    const taken = new Uint8Array(length);
    this.#file.read(taken, this.position);
    this.skip(length);
    return taken;
  }

  text(length: number): string {
    return this.#decode(this.bytes(length));
  }

  /** The text up to the next line feed, which is passed over. */
  line(): string {
    const from = this.position;
    let length = 0;
    while (this.byte() !== 0x0a) length++;
    const bytes = new Uint8Array(length);
    this.#file.read(bytes, from);
    return this.#decode(bytes);
  }

  /** Passes over `length` bytes. */
  skip(length: number): void {
    this.#require(length);
    this.#windowEnd = this.position + length;
    this.#setWindow(new Uint8Array(0));
  }

  /** @throws DamagedFileError unless `length` more bytes are there */
  #require(length: number): void {
    if (length <= this.#end - this.position) return;
    throw new DamagedFileError({
      op: `${this.#file.path} at byte ${this.position}`,
      expected: `${length} more bytes of a pickle`,
      got: `${this.#end - this.position}`,
      hint: "the file is damaged or cut short: download or write it again",
    });
  }

  /** Brings the next `length` bytes into the window and passes over them; returns where they begin in it. */
  #advance(length: number): number {
    if (this.#at + length > this.#window.byteLength) {
      this.#require(length);
      const from = this.position;
      const window = new Uint8Array(Math.min(WINDOW, this.#end - from));
      this.#file.read(window, from);
      this.#windowEnd = from + window.byteLength;
      this.#setWindow(window);
    }
    const from = this.#at;
    this.#at += length;
    return from;
  }

  #setWindow(window: Uint8Array<ArrayBuffer>): void {
    this.#window = window;
    this.#view = new DataView(window.buffer);
    this.#at = 0;
  }

  #decode(bytes: Uint8Array): string {
    try {
      return utf8.decode(bytes);
    } catch (cause) {
      const op = `${this.#file.path} at byte ${this.position}`;
      throw new DamagedFileError({ op, expected: "text in UTF-8", got: "other bytes", cause });
    }
  }
}
