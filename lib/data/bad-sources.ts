// The sources found bad in a run, and when there are too many of them to go on.

import { VideomaeError } from "../errors.js";

/** So many bad sources before any good one mean that the whole list is wrong. */
const FIRST_BAD = 32;

/** The sources found bad, each reported once; throws when there are too many to go on. */
export class BadSources {
  readonly #reasons = new Map<number, string>();
  readonly #closed = new Set<number>();
  readonly #count: number;
  readonly #maxFraction: number;
  #good = 0;

  constructor(count: number, maxFraction: number) {
    this.#count = count;
    this.#maxFraction = maxFraction;
  }

  /** Whether the source is known never to open. */
  neverOpens(source: number): boolean {
    return this.#closed.has(source);
  }

  good(): void {
    this.#good++;
  }

  /** Notes a bad source. Returns true the first time. */
  add(source: number, stage: "open" | "read", reason: string): boolean {
    if (stage === "open") this.#closed.add(source);
    if (this.#reasons.has(source)) return false;
    this.#reasons.set(source, reason);
    return true;
  }

  get size(): number {
    return this.#reasons.size;
  }

  /** Throws when more than the allowed fraction is bad, all are, or the first ones were all bad. */
  check(): void {
    const bad = this.#reasons.size;
    const none = this.#good === 0 && bad >= FIRST_BAD;
    if (bad <= this.#maxFraction * this.#count && bad < this.#count && !none) return;
    const some = [...this.#reasons.values()].slice(0, 3).join(" | ");
    throw new VideomaeError({
      op: "loader",
      expected: none ? "videos that can be read" : `at most ${this.#maxFraction} of ${this.#count} videos to be bad`,
      got: `${bad} bad ones${none ? " and no good one" : ""}, such as ${some}`,
      hint: "is the folder (--root) right, and are the files whole?",
    });
  }
}
