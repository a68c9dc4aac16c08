// The list of a run's bad files, `quarantine.jsonl` in its folder: one object a line, appended as they are found, each
// file once however often the run is stopped and resumed. Nothing reads it by itself: a later run leaves these files out
// when it is told to (`exclude`), because that changes which clips it sees.
import { existsSync } from "node:fs";
import type { BadFile } from "../data/loader.js";
import { type JsonlLog, openJsonl, readJsonl } from "../log/jsonl.js";

export class QuarantineList {
  readonly path: string;
  readonly #listed = new Set<string>();
  #log: JsonlLog | undefined;

  /** @throws VideomaeError when a list that is there cannot be read */
  constructor(path: string) {
    this.path = path;
    if (!existsSync(path)) return;
    for (const record of readJsonl(path)) this.#listed.add(identity(record));
  }

  /** Appends a file that is not in the list yet; the first one creates it. */
  add({ source, start, total, where, reason, epoch, place, part }: BadFile): void {
    const record = { path: source, start, total, where, reason, epoch, place, part, date: new Date().toISOString() };
    if (this.#listed.has(identity(record))) return;
    this.#listed.add(identity(record));
    this.#log ??= openJsonl(this.path);
    this.#log.write(record);
  }

  [Symbol.dispose](): void {
    this.#log?.close();
  }
}

function identity({ path, start, total }: { path?: unknown; start?: unknown; total?: unknown }): string {
  return JSON.stringify([path, start, total]);
}
