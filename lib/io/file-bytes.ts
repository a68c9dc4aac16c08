// Positioned reads of a file, at any place and in any order. One read call takes at most 64 MiB, so that no file is too
// large for the system call; a range that leaves the file is an error, never a short or empty answer.

import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { VideomaeError } from "../errors.js";
import { explainFileError } from "./atomic-file.js";
import { DamagedFileError } from "./damaged-file.js";

const CHUNK = 2 ** 26;

/** A file open for reading; close it. */
export class FileBytes {
  readonly path: string;
  /** Bytes of the file when it was opened. */
  readonly size: number;
  #file: number | undefined;

  private constructor(path: string, file: number, size: number) {
    this.path = path;
    this.#file = file;
    this.size = size;
  }

  /** @throws VideomaeError that names the path when the file system refuses, or when it is no file. */
  static open(path: string): FileBytes {
    let file: number | undefined;
    try {
      file = openSync(path, "r");
      const status = fstatSync(file);
      if (!status.isFile()) {
        const got = status.isDirectory() ? "the path is a folder" : "something else";
        throw new VideomaeError({ op: `open ${path}`, expected: "a file", got });
      }
      return new FileBytes(path, file, status.size);
    } catch (cause) {
      if (file !== undefined) closeSync(file);
      throw explainFileError("open", path, cause);
    }
  }

  /** Fills `target` with the bytes from `position` on. */
  read(target: Uint8Array, position: number): void {
    for (let at = 0; at < target.byteLength; ) {
      const got = position + at < this.size ? this.#readSome(target, at, position + at) : 0;
      if (got === 0) {
        throw new DamagedFileError({
          op: this.path,
          expected: `${target.byteLength} bytes at ${position}`,
          got: `the end of the file after ${at}`,
          hint: "the file is cut short: download or write it again",
        });
      }
      at += got;
    }
  }

  #readSome(target: Uint8Array, at: number, position: number): number {
    if (this.#file === undefined) {
      throw new VideomaeError({ op: `read ${this.path}`, expected: "an open file", got: "one that was closed" });
    }
    try {
      return readSync(this.#file, target, at, Math.min(CHUNK, target.byteLength - at), position);
    } catch (cause) {
      throw explainFileError("read", this.path, cause);
    }
  }

  /** Closes the file; a second call does nothing. */
  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }
}
