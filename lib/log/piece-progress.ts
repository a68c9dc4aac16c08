// Progress of work that has pieces of different length: which one is under way, and when all will be done. A bar on a
// terminal, a line a piece elsewhere. The time left follows from how long the finished pieces took by their weights.
//
//   3/18 | product square, 2048 x 2048 x 2048 nt | ETA 1 min 40 s
import type { Writable } from "node:stream";
import { Presets, SingleBar } from "cli-progress";
import { duration } from "./progress.js";

export interface Piece {
  readonly label: string;
  /** Its length beside the others. */
  readonly weight: number;
}

export class PieceProgress {
  readonly #pieces: readonly Piece[];
  readonly #stream: Writable & { readonly isTTY?: boolean };
  readonly #now: () => number;
  readonly #start: number;
  readonly #bar: SingleBar | undefined;

  constructor(
    pieces: readonly Piece[],
    options: { stream?: Writable & { readonly isTTY?: boolean }; now?: () => number } = {},
  ) {
    this.#pieces = pieces;
    this.#stream = options.stream ?? process.stderr;
    this.#now = options.now ?? (() => performance.now());
    this.#start = this.#now();
    if (!this.#stream.isTTY) return;
    const stream = this.#stream as NodeJS.WritableStream;
    this.#bar = new SingleBar(
      { format: "{bar} {line}", stream, barsize: 20, hideCursor: true, linewrap: false, clearOnComplete: true, fps: 5 },
      Presets.shades_classic,
    );
    this.#bar.start(this.#weight(pieces.length), 0, { line: "" });
  }

  /** Says that the piece with this number, from 0 on, is begun. */
  begin(index: number): void {
    const line = this.line(index);
    if (this.#bar) this.#bar.update(this.#weight(index), { line });
    else this.#stream.write(`${line}\n`);
  }

  /** What is shown while a piece is under way, without the bar. */
  line(index: number): string {
    const [done, all] = [this.#weight(index), this.#weight(this.#pieces.length)];
    const elapsed = (this.#now() - this.#start) / 1000;
    const eta = done > 0 ? duration((elapsed / done) * (all - done)) : "-";
    return `${index + 1}/${this.#pieces.length} | ${this.#pieces[index].label} | ETA ${eta}`;
  }

  /** Leaves a terminal's line clean. */
  stop(): void {
    this.#bar?.stop();
  }

  /** That of the pieces before one. */
  #weight(index: number): number {
    return this.#pieces.slice(0, index).reduce((sum, { weight }) => sum + weight, 0);
  }
}
