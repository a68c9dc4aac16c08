// What a run on a lent machine brings back: one file of JSON rows, flushed to the disk row by row because the machine
// may be taken away at any moment, and one log of everything else that was printed. Both are bounded.
import { closeSync, fsyncSync, mkdirSync, openSync, writeSync } from "node:fs";
import path from "node:path";

/** A result: plain JSON. */
export type ResultRow = Record<string, unknown>;

const ROW_BYTES = 12e6;
const LOG_BYTES = 3e6;

export class Recorder implements Disposable {
  readonly #rows: BoundedFile;
  readonly #log: BoundedFile;
  readonly #stamp: (row: ResultRow) => ResultRow;

  /** @param stamp  adds to every row what all have: the date, the state of the GPU */
  constructor(folder: string, stamp: (row: ResultRow) => ResultRow) {
    mkdirSync(folder, { recursive: true });
    this.#rows = new BoundedFile(path.join(folder, "rows.jsonl"), ROW_BYTES);
    this.#log = new BoundedFile(path.join(folder, "log.txt"), LOG_BYTES);
    this.#stamp = stamp;
  }

  /** Writes a row and waits until it is on the disk. */
  row(row: ResultRow): void {
    this.#rows.write(`${JSON.stringify(this.#stamp(row))}\n`);
    this.#rows.flush();
  }

  log(line: string): void {
    this.#log.write(`${line}\n`);
  }

  [Symbol.dispose](): void {
    this.#rows.close();
    this.#log.close();
  }
}

/** A file that stops growing at a size, and says so in its last line. */
class BoundedFile {
  readonly #descriptor: number;
  #left: number;

  constructor(file: string, bytes: number) {
    this.#descriptor = openSync(file, "w");
    this.#left = bytes;
  }

  write(text: string): void {
    if (this.#left <= 0) return;
    this.#left -= Buffer.byteLength(text);
    writeSync(this.#descriptor, this.#left > 0 ? text : '{"cut":"the file has reached its greatest size"}\n');
  }

  flush(): void {
    fsyncSync(this.#descriptor);
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}
