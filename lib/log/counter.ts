// How far a long piece of work has come, on standard error: a line that is written over on a terminal, one now and then
// elsewhere, and nothing for work that is over at once.

import type { Writable } from "node:stream";

const LINE_MS = 10_000;
const REDRAW_MS = 200;
const SILENT_MS = 1000;

export class Counter {
  readonly #what: string;
  readonly #stream: Writable & { readonly isTTY?: boolean };
  readonly #now: () => number;
  readonly #start: number;
  #last: number;
  #drawn = false;

  /** @param what  is counted, e.g. "videos" */
  constructor(what: string, options: { stream?: Writable & { readonly isTTY?: boolean }; now?: () => number } = {}) {
    this.#what = what;
    this.#stream = options.stream ?? process.stderr;
    this.#now = options.now ?? (() => performance.now());
    this.#start = this.#now();
    this.#last = this.#start;
  }

  update(done: number, total: number): void {
    const now = this.#now();
    const elapsed = now - this.#start;
    if (elapsed < SILENT_MS || now - this.#last < (this.#stream.isTTY ? REDRAW_MS : LINE_MS)) return;
    this.#last = now;
    const left = Math.ceil(((elapsed / done) * (total - done)) / 1000);
    const line = `${done} of ${total} ${this.#what}, about ${left} s left`;
    this.#stream.write(this.#stream.isTTY ? `\r${line}\u001b[K` : `${line}\n`);
    this.#drawn = true;
  }

  /** Leaves a terminal's line clean. */
  stop(): void {
    if (this.#drawn && this.#stream.isTTY) this.#stream.write("\r\u001b[K");
  }
}
