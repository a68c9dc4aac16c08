// The list of a run's bad files, `quarantine.jsonl` in its folder: one object a line, appended as they are found, each
// file once however often the run is stopped and resumed. Nothing reads it by itself: a later run leaves these files out
// when it is told to (`exclude`), because that changes which clips it sees.
import { existsSync } from "node:fs";
import type { BadFile } from "../data/loader.js";
import { VideomaeError } from "../errors.js";
import { type JsonlLog, type LogRecord, openJsonl, readJsonl } from "../log/jsonl.js";

export class QuarantineList {
  readonly path: string;
  readonly #onNote: (note: string) => void;
  /** What a file system that refused has not taken yet. */
  readonly #waiting: LogRecord[] = [];
  readonly #listed = new Set<string>();
  #log: JsonlLog | undefined;

  /**
   * @param onNote  told when the list cannot be written; the run goes on, and lines are tried again with the next one
   * @throws VideomaeError when a list that is there cannot be read
   */
  constructor(path: string, onNote: (note: string) => void) {
    this.path = path;
    this.#onNote = onNote;
    if (!existsSync(path)) return;
    for (const record of readJsonl(path)) this.#listed.add(identity(record));
  }

  /** Appends a file that is not in the list yet; the first one creates it. */
  add({ source, start, total, where, reason, epoch, place, part }: BadFile): void {
    const record = { path: source, start, total, where, reason, epoch, place, part, date: new Date().toISOString() };
    if (this.#listed.has(identity(record))) return;
    this.#listed.add(identity(record));
    this.#waiting.push(record);
    try {
      this.#log ??= openJsonl(this.path);
      for (; this.#waiting.length > 0; this.#waiting.shift()) this.#log.write(this.#waiting[0]);
    } catch (error) {
      if (!(error instanceof VideomaeError)) throw error;
      this.#onNote(`${error.message}; ${this.#waiting.length} bad files are not listed yet`);
    }
  }

  [Symbol.dispose](): void {
    this.#log?.close();
  }
}

function identity({ path, start, total }: { path?: unknown; start?: unknown; total?: unknown }): string {
  return JSON.stringify([path, start, total]);
}
