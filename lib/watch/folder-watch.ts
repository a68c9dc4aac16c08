// Tells when something in a folder may have changed: at once where the system reports it, and in any case every so often,
// because network file systems report nothing, and a folder that is not there cannot be watched.

import { type FSWatcher, statSync, watch } from "node:fs";

export class FolderWatch implements Disposable {
  readonly #folder: string;
  readonly #onChange: () => void;
  readonly #timer: NodeJS.Timeout;
  #watcher: FSWatcher | undefined;
  #watched: number | undefined;

  /** @param pollMs  milliseconds between two looks where nothing is reported */
  constructor(folder: string, onChange: () => void, pollMs: number) {
    this.#folder = folder;
    this.#onChange = onChange;
    this.#attach();
    this.#timer = setInterval(() => {
      this.#attach();
      onChange();
    }, pollMs);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#detach();
  }

  /** Watches the folder that now has the name. */
  #attach(): void {
    try {
      const folder = statSync(this.#folder, { throwIfNoEntry: false })?.ino;
      if (folder === this.#watched) return;
      this.#detach();
      if (folder === undefined) return;
      this.#watcher = watch(this.#folder, () => this.#onChange()).on("error", () => this.#detach());
      this.#watched = folder;
    } catch {
      this.#detach(); // no right to look, no watches left in the system, or no folder again: the next look tries anew
    }
  }

  #detach(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
    this.#watched = undefined;
  }
}
