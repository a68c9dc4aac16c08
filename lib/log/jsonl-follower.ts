// A log of JSON lines that is being written, line by line as they come; the end of a line that is not yet there is waited
// for. See `FileFollower` for logs that are cut.

import { FileFollower } from "./file-follower.js";
import { type LogRecord, parseRecord } from "./jsonl.js";

const NEWLINE = 0x0a;

export interface LogReader {
  /** The log was cut or replaced: all its lines come again. */
  onRestart(): void;
  onRecord(record: LogRecord): void;
  /** A whole line that is no JSON object. */
  onBroken(line: number): void;
  onChunk?(): void;
}

export class JsonlFollower {
  readonly #file: FileFollower;
  readonly #reader: LogReader;
  #lines = 0;

  constructor(path: string, reader: LogReader) {
    this.#reader = reader;
    this.#file = new FileFollower(path, {
      onRestart: () => {
        this.#lines = 0;
        reader.onRestart();
      },
      onBytes: (bytes) => this.#take(bytes),
      onChunk: () => reader.onChunk?.(),
    });
  }

  /** Reads the lines that are new; whether there is a log. */
  poll(): Promise<boolean> {
    return this.#file.poll();
  }

  #take(bytes: Buffer): number {
    let begin = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, begin)) {
      const record = parseRecord(bytes.toString("utf8", begin, end));
      this.#lines++;
      if (record === undefined) this.#reader.onBroken(this.#lines);
      else this.#reader.onRecord(record);
      begin = end + 1;
    }
    return begin;
  }
}
