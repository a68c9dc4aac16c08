// Which source stands at which place of which epoch: shuffles keyed by the seed, so any step is known without playing
// the ones before it. An epoch has as many places as there are clips; what does not fill a batch is dropped. A set
// smaller than a batch is gone through again, in other shuffles, until the batch is full: such an epoch is one step.
//
// The parts of a mixture take turns (interleave.ts). Each part is gone through in a shuffle of its own, and when it is
// exhausted in another: a part whose share is small goes on in the next epoch where it stopped. Within a batch of a
// mixture the places are shuffled by (seed, epoch, step), so that no place always has the same part.

import { RandomStream } from "../random.js";
import { type Turns, takeTurns } from "./interleave.js";
import type { DatasetPart } from "./mixture.js";

const KEPT_SHUFFLES = 4;

/** A place in the order of an epoch. */
export interface Place {
  readonly epoch: number;
  readonly place: number;
}

/** What stands at a place: a source, by number in the data set, of a part. */
export interface Seat {
  readonly source: number;
  readonly part: number;
}

export class ClipOrder {
  readonly stepsPerEpoch: number;
  readonly #parts: readonly DatasetPart[];
  readonly #count: number;
  readonly #batchSize: number;
  readonly #seed: number;
  readonly #listed: boolean;
  /** Absent where there is one part. */
  readonly #turns: Turns | undefined;
  readonly #shuffles = new Map<string, Uint32Array>();

  /** @param listed  keep the sources' own order, and the last batch though it may be smaller: for evaluation */
  constructor(parts: readonly DatasetPart[], batchSize: number, seed: number, listed: boolean) {
    this.#parts = parts;
    this.#count = parts.reduce((sum, { count }) => sum + count, 0);
    this.#batchSize = batchSize;
    this.#seed = seed;
    this.#listed = listed;
    this.stepsPerEpoch = listed ? Math.ceil(this.#count / batchSize) : Math.max(1, Math.floor(this.#count / batchSize));
    if (parts.length > 1 && !listed) {
      const shares = parts.map(({ share }) => share);
      this.#turns = takeTurns(shares, Math.max(this.#count, batchSize));
    }
  }

  /** The places of a step, counted from 0 over all epochs. */
  places(step: number): Place[] {
    const epoch = Math.floor(step / this.stepsPerEpoch);
    const first = (step % this.stepsPerEpoch) * this.#batchSize;
    const size = this.#listed ? Math.min(this.#batchSize, this.#count - first) : this.#batchSize;
    const places = Array.from({ length: size }, (_, i) => first + i);
    if (this.#turns !== undefined) new RandomStream(this.#seed, "data.turns", [epoch, first]).shuffle(places);
    return places.map((place) => ({ epoch, place }));
  }

  /** What stands at a place. */
  at({ epoch, place }: Place): Seat {
    if (this.#listed) return { source: place, part: this.#parts.findLastIndex(({ first }) => first <= place) };
    const part = this.#turns?.source[place] ?? 0;
    const placesOfEpoch = this.#turns?.counts[part] ?? Math.max(this.#count, this.#batchSize);
    const turn = epoch * placesOfEpoch + (this.#turns?.before[place] ?? place);
    const { first, count } = this.#parts[part];
    return { source: first + this.#shuffle(Math.floor(turn / count), part)[turn % count], part };
  }

  /** What stands in at a place when that of the attempt before was bad: of the same part, so that shares stay. */
  replacement({ epoch, place }: Place, part: number, attempt: number): number {
    const { first, count } = this.#parts[part];
    return first + new RandomStream(this.#seed, "data.replace", [epoch, place, attempt]).integer(count);
  }

  #shuffle(round: number, part: number): Uint32Array {
    const key = `${round}:${part}`;
    let shuffle = this.#shuffles.get(key);
    if (shuffle === undefined) {
      const kept = KEPT_SHUFFLES * this.#parts.length;
      if (this.#shuffles.size >= kept) this.#shuffles.delete(this.#shuffles.keys().next().value!);
      shuffle = new Uint32Array(this.#parts[part].count).map((_, i) => i);
      new RandomStream(this.#seed, "data.order", [round, part]).shuffle(shuffle);
      this.#shuffles.set(key, shuffle);
    }
    return shuffle;
  }
}
