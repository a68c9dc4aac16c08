// A file that another process writes, read on from where the last look ended. It may not be there yet, end in the middle
// of a line, be cut to an earlier length and grow again, or give way to another file of its name. A file that was only
// appended to ends, at the place where the last look did, in the bytes that were read there; where it does not, it is read
// anew from the start.

import { type FileHandle, open } from "node:fs/promises";

const CHUNK = 1 << 20;
/** How many of the last bytes are compared. */
const TAIL = 512;

export interface Follower {
  /** What was taken so far counts no longer. */
  onRestart(): void;
  /**
   * Bytes that come next. What is not taken comes again, with more after it.
   * @returns how many were taken
   */
  onBytes(bytes: Buffer): number;
  /** Called between two chunks of much that is new. */
  onChunk?(): void;
}

export class FileFollower {
  readonly path: string;
  readonly #follower: Follower;
  #chunk = Buffer.alloc(CHUNK);
  #taken = 0;
  #tail: Buffer = Buffer.alloc(0);
  /** Which file it was at the last look, how long, and when it was written. */
  #seen = "";
  #file: bigint | undefined;

  constructor(path: string, follower: Follower) {
    this.path = path;
    this.#follower = follower;
  }

  /** Bytes taken since the start of the file. */
  get taken(): number {
    return this.#taken;
  }

  /**
   * Reads what is new.
   * @returns whether there is such a file
   * @throws what the file system does, but for a file that is not there
   */
  async poll(): Promise<boolean> {
    let file: FileHandle;
    try {
      file = await open(this.path, "r");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      if (this.#file !== undefined) this.#restart();
      this.#file = undefined;
      this.#seen = "";
      return false;
    }
    try {
      const { ino, size, mtimeNs } = await file.stat({ bigint: true });
      const seen = `${ino} ${size} ${mtimeNs}`;
      if (seen === this.#seen) return true;
      const same = this.#file === undefined || this.#file === ino;
      if (!same || !(await this.#endsAsBefore(file))) this.#restart();
      this.#file = ino;
      await this.#readOn(file);
      this.#seen = seen;
      return true;
    } finally {
      await file.close();
    }
  }

  async #readOn(file: FileHandle): Promise<void> {
    for (;;) {
      const { bytesRead } = await file.read(this.#chunk, 0, this.#chunk.length, this.#taken);
      if (bytesRead === 0) return;
      const bytes = this.#chunk.subarray(0, bytesRead);
      const taken = this.#follower.onBytes(bytes);
      this.#tail = Buffer.concat([this.#tail, bytes.subarray(Math.max(0, taken - TAIL), taken)]).subarray(-TAIL);
      this.#taken += taken;
      if (bytesRead < this.#chunk.length) return;
      if (taken === 0) this.#chunk = Buffer.alloc(2 * this.#chunk.length);
      this.#follower.onChunk?.();
    }
  }

  async #endsAsBefore(file: FileHandle): Promise<boolean> {
    const { length } = this.#tail;
    const now = Buffer.alloc(length);
    const { bytesRead } = await file.read(now, 0, length, this.#taken - length);
    return bytesRead === length && now.equals(this.#tail);
  }

  #restart(): void {
    if (this.#taken > 0) this.#follower.onRestart();
    this.#taken = 0;
    this.#tail = Buffer.alloc(0);
  }
}
