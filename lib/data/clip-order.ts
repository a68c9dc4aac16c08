// Which source stands at which place of which epoch: a shuffle keyed by (seed, epoch), so any step is known without
// playing the ones before it. What does not fill a batch is dropped. A set smaller than a batch is gone through again,
// each time in another shuffle, until the batch is full: such an epoch is one step and shows some videos more than once.

import { RandomStream } from "../random.js";

const KEPT_SHUFFLES = 4;

/** A place in the order of an epoch. */
export interface Place {
  readonly epoch: number;
  readonly place: number;
}

export class ClipOrder {
  readonly stepsPerEpoch: number;
  readonly #count: number;
  readonly #batchSize: number;
  readonly #seed: number;
  readonly #listed: boolean;
  readonly #shuffles = new Map<string, Uint32Array>();

  /** @param listed  keep the sources' own order, and the last batch though it may be smaller: for evaluation */
  constructor(count: number, batchSize: number, seed: number, listed: boolean) {
    this.#count = count;
    this.#batchSize = batchSize;
    this.#seed = seed;
    this.#listed = listed;
    this.stepsPerEpoch = listed ? Math.ceil(count / batchSize) : Math.max(1, Math.floor(count / batchSize));
  }

  /** The places of a step, counted from 0 over all epochs. */
  places(step: number): Place[] {
    const epoch = Math.floor(step / this.stepsPerEpoch);
    const first = (step % this.stepsPerEpoch) * this.#batchSize;
    const size = this.#listed ? Math.min(this.#batchSize, this.#count - first) : this.#batchSize;
    return Array.from({ length: size }, (_, i) => ({ epoch, place: first + i }));
  }

  /** The source at a place. */
  source({ epoch, place }: Place): number {
    if (this.#listed) return place;
    return this.#shuffle(epoch, Math.floor(place / this.#count))[place % this.#count];
  }

  /** The source that stands in at a place when that of the attempt before was bad. */
  replacement({ epoch, place }: Place, attempt: number): number {
    return new RandomStream(this.#seed, "data.replace", [epoch, place, attempt]).integer(this.#count);
  }

  #shuffle(epoch: number, round: number): Uint32Array {
    const key = `${epoch}:${round}`;
    let shuffle = this.#shuffles.get(key);
    if (shuffle === undefined) {
      if (this.#shuffles.size >= KEPT_SHUFFLES) this.#shuffles.delete(this.#shuffles.keys().next().value!);
      shuffle = new Uint32Array(this.#count).map((_, i) => i);
      new RandomStream(this.#seed, "data.order", [epoch, round]).shuffle(shuffle);
      this.#shuffles.set(key, shuffle);
    }
    return shuffle;
  }
}
