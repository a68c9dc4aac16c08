// The files found bad in a run, what stood in for them, and when there are too many to go on.
//
// A file that did not open or timed out is left out from the step after those that were under way; until then, and where
// only some of its frames could not be read, it is tried again, since which clips a batch holds must not depend on
// which worker was faster. `state()` holds all of this as plain data: a loader that begins with it goes on as if it had
// never stopped, even where a file has been repaired or broken in between.

import { VideomaeError } from "../errors.js";
import type { Place, Seat } from "./clip-order.js";
import type { DatasetPart } from "./mixture.js";
import { type Source, sourceKey } from "./source.js";

/** So many bad files before any good one mean that the whole list is wrong. */
const FIRST_BAD = 32;
/** Videos of which at most the allowed fraction may have needed a replacement. */
const WINDOW = 1000;

/** A file found bad. */
export interface QuarantinedFile {
  /** Its path; for pictures `folder <tab> start <tab> total`. */
  readonly key: string;
  readonly reason: string;
  /** Where it was first found bad. */
  readonly epoch: number;
  readonly place: number;
  readonly attempt: number;
  /** The first step that leaves it out; null when it is tried again, because it opens. */
  readonly outFrom: number | null;
}

/** How many videos were asked for, and of how many another took the place. */
export interface VideoCounts {
  readonly videos: number;
  readonly replaced: number;
}

/** What a loader has learnt of its files: plain data, to be kept in a checkpoint. */
export interface QuarantineState {
  readonly files: readonly QuarantinedFile[];
  /** One for each part of the data, in order. */
  readonly parts: readonly VideoCounts[];
  /** The window that is under way. */
  readonly window: VideoCounts;
}

/** Whether a value, as it comes out of a file, is what `Quarantine.state` gives. */
export function isQuarantineState(value: unknown): value is QuarantineState {
  const { files, parts, window } = (value ?? {}) as Partial<QuarantineState>;
  const isCount = (count: unknown) => Number.isSafeInteger(count) && (count as number) >= 0;
  const isCounts = (counts?: VideoCounts) => isCount(counts?.videos) && isCount(counts?.replaced);
  const isFile = (file?: QuarantinedFile) =>
    [file?.key, file?.reason].every((text) => typeof text === "string") &&
    [file?.epoch, file?.place, file?.attempt, file?.outFrom ?? 0].every(isCount);
  return (
    Array.isArray(files) && Array.isArray(parts) && files.every(isFile) && parts.every(isCounts) && isCounts(window)
  );
}

/** What was read of a part of the data. */
export interface PartReport extends DatasetPart, VideoCounts {
  /** Files of it found bad. */
  readonly bad: number;
}

type Attempt = Place & { readonly attempt: number };
type Counts = { -readonly [K in keyof VideoCounts]: VideoCounts[K] };

export class Quarantine {
  readonly #files = new Map<string, QuarantinedFile>();
  readonly #sources: readonly Source[];
  readonly #parts: readonly DatasetPart[];
  readonly #maxFraction: number;
  readonly #counts: Counts[];
  readonly #bad: number[];
  #window: Counts = { videos: 0, replaced: 0 };
  #good = false;

  constructor(
    { sources, parts }: { sources: readonly Source[]; parts: readonly DatasetPart[] },
    maxFraction: number,
    state?: QuarantineState,
  ) {
    this.#sources = sources;
    this.#parts = parts;
    this.#maxFraction = maxFraction;
    this.#counts = parts.map(() => ({ videos: 0, replaced: 0 }));
    this.#bad = parts.map(() => 0);
    if (state !== undefined) this.#restore(state);
  }

  /** Whether a source is not to be tried at a place of a step. */
  isOut(source: number, step: number, { epoch, place, attempt }: Attempt): boolean {
    const file = this.#files.get(sourceKey(this.#sources[source]));
    if (file === undefined || file.outFrom === null) return false;
    if (step >= file.outFrom) return true;
    return file.epoch === epoch && file.place === place && file.attempt === attempt;
  }

  good(): void {
    this.#good = true;
  }

  /**
   * Notes a bad source.
   * @param outFrom  the first step that leaves it out; null to try it again
   * @returns  whether it is the first time
   */
  add({ source, part }: Seat, at: Attempt, reason: string, outFrom: number | null): boolean {
    const key = sourceKey(this.#sources[source]);
    const known = this.#files.get(key);
    if (known === undefined) this.#bad[part]++;
    // One that opened at first and does not any more is out from now on. Of places that were tried at the same time the
    // first counts, whichever worker was faster.
    const sooner = outFrom !== null && (known?.outFrom == null || outFrom < known.outFrom || earlier(at, known));
    if (known === undefined || sooner) {
      const { epoch, place, attempt } = at;
      this.#files.set(key, { key, reason, epoch, place, attempt, outFrom });
    }
    return known === undefined;
  }

  /** How many files are bad. */
  get size(): number {
    return this.#files.size;
  }

  /** Throws when more than the allowed fraction of a part's files is bad, all are, or the first ones were all bad. */
  check(part: number): void {
    const { name, count } = this.#parts[part];
    const bad = this.#bad[part];
    const of = this.#parts.length > 1 ? `${count} videos of ${name}` : `${count} videos`;
    if (!this.#good && this.#files.size >= FIRST_BAD) {
      throw this.#tooMany("videos that can be read", `${this.#files.size} bad ones and no good one`);
    }
    if (bad > this.#maxFraction * count || bad >= count) {
      throw this.#tooMany(`at most ${this.#maxFraction} of ${of} to be bad`, `${bad} bad ones`);
    }
  }

  /** Counts the videos of a batch that is given out. Throws when too many of the last ones were replaced. */
  count(seats: readonly { readonly part: number; readonly replaced: boolean }[]): void {
    for (const { part, replaced } of seats) {
      for (const counts of [this.#counts[part], this.#window]) {
        counts.videos++;
        if (replaced) counts.replaced++;
      }
    }
    const { videos, replaced } = this.#window;
    if (videos < WINDOW) return;
    this.#window = { videos: 0, replaced: 0 };
    if (replaced <= this.#maxFraction * videos) return;
    throw this.#tooMany(`at most ${this.#maxFraction} of the last ${videos} videos to be replaced`, `${replaced}`);
  }

  report(): PartReport[] {
    return this.#parts.map((part, i) => ({ ...part, ...this.#counts[i], bad: this.#bad[i] }));
  }

  state(): QuarantineState {
    return {
      files: [...this.#files.values()].sort((a, b) => (a.key < b.key ? -1 : 1)),
      parts: this.#counts.map((counts) => ({ ...counts })),
      window: { ...this.#window },
    };
  }

  #restore({ files, parts, window }: QuarantineState): void {
    const known = new Map(files.map((file) => [file.key, file]));
    for (const [i, { first, count }] of this.#parts.entries()) {
      for (const source of this.#sources.slice(first, first + count)) {
        const file = known.get(sourceKey(source));
        if (file === undefined || this.#files.has(file.key)) continue;
        this.#files.set(file.key, file);
        this.#bad[i]++;
      }
    }
    this.#good = parts.some(({ videos, replaced }) => videos > replaced);
    if (parts.length !== this.#parts.length) return; // of other data: what was counted there says nothing here
    for (const [i, counts] of parts.entries()) this.#counts[i] = { ...counts };
    this.#window = { ...window };
  }

  #tooMany(expected: string, got: string): VideomaeError {
    const some = [...this.#files.values()].slice(0, 3).map(({ reason }) => reason);
    return new VideomaeError({
      op: "loader",
      expected,
      got: `${got}, such as ${some.join(" | ")}`,
      hint: "is the folder (--root) right, and are the files whole?",
    });
  }
}

function earlier(a: Attempt, b: Attempt): boolean {
  return a.epoch !== b.epoch ? a.epoch < b.epoch : a.place !== b.place ? a.place < b.place : a.attempt < b.attempt;
}
