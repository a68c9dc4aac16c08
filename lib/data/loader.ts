// Batches of clips, decoded by worker threads into a ring of shared buffers while the caller computes.
//
// A batch is a function of (sources, options, seed, step): the same whatever the number of workers, and reached by a
// resumed run without decoding the steps before it. A bad file is reported once and another of the same part takes its
// place, drawn from (seed, epoch, place, attempt). Batches are ordered when one is asked for, so a slow caller makes
// the loader wait, not grow: `bufferBytes` is all it holds. A batch that is never disposed of leaves the ring with its
// buffer.

import { VideomaeError } from "../errors.js";
import { ClipBatch } from "./clip-batch.js";
import { ClipOrder, type Place } from "./clip-order.js";
import { type ClipPool, openPool } from "./clip-pool.js";
import { clipBytes, pixelType } from "./clip-request.js";
import type { VideoDataset } from "./dataset.js";
import {
  type BadFile,
  batchesAhead,
  checkLoaderOptions,
  type LoaderOptions,
  type LoaderSettings,
} from "./loader-options.js";
import { type PartReport, Quarantine, type QuarantineState } from "./quarantine.js";
import { type Source, sourcePath } from "./source.js";

export { ClipBatch } from "./clip-batch.js";
export { type ClipOptions, VideoDataset } from "./dataset.js";
export type { BadFile, LoaderOptions } from "./loader-options.js";
export type { DataSource, DataSpec } from "./mixture.js";
export type { PartReport, QuarantineState } from "./quarantine.js";

const MOST_ATTEMPTS = 1000;

/**
 * Batches of clips of a data set, without end unless `epochs` or `steps` says so.
 * @throws VideomaeError for bad options; while iterating, when there is no decoder or too many files are bad
 */
export function loader(dataset: VideoDataset, options: LoaderOptions): Loader {
  return new Loader(dataset, options);
}

/** An iterable over `ClipBatch`; every iteration starts its own threads and ends them. */
export class Loader implements AsyncIterable<ClipBatch> {
  readonly stepsPerEpoch: number;
  /** The step after the last one; Infinity without an end. */
  readonly endStep: number;
  /** What the user should know of how the data is gone through, if anything. */
  readonly note: string | undefined;
  /** Bytes of the shared buffers when all are in use: those of the batch given out and of the ones ahead. */
  readonly bufferBytes: number;
  readonly #dataset: VideoDataset;
  readonly #options: LoaderSettings;
  readonly #order: ClipOrder;
  readonly #batchesAhead: number;
  #quarantine: Quarantine;

  constructor(dataset: VideoDataset, options: LoaderOptions) {
    this.#options = checkLoaderOptions(options, dataset);
    const { batchSize, workers, seed, evaluation, epochs, steps, startStep } = this.#options;
    this.#dataset = dataset;
    this.#order = new ClipOrder(dataset.parts, batchSize, seed, evaluation);
    this.#quarantine = this.#newQuarantine();
    this.#batchesAhead = batchesAhead(workers, batchSize);
    this.bufferBytes = (1 + this.#batchesAhead) * batchSize * clipBytes(dataset.clip, evaluation);
    this.stepsPerEpoch = this.#order.stepsPerEpoch;
    const passes = epochs ?? (evaluation ? 1 : Number.POSITIVE_INFINITY);
    this.endStep = steps === undefined ? passes * this.stepsPerEpoch : startStep + steps;
    if (!evaluation && dataset.length < batchSize) {
      this.note = `${dataset.length} videos fill a batch of ${batchSize} only when gone through more than once: an epoch is one step`;
    }
  }

  /**
   * The files found bad so far, and what is counted up to the batch given out last, as plain data. A loader that is
   * given it as `quarantine`, and the next step as `startStep`, goes on as this one would.
   */
  quarantine(): QuarantineState {
    return this.#quarantine.state();
  }

  /** What was read up to now, one for each part of the data. */
  report(): PartReport[] {
    return this.#quarantine.report();
  }

  /**
   * The batches in order, from `startStep` on. A batch is made when it is asked for, and some ahead where there are
   * workers.
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<ClipBatch, void, undefined> {
    const { workers, decoder, startStep, decodeTimeout } = this.#options;
    const quarantine = this.#newQuarantine();
    this.#quarantine = quarantine;
    const run: Run = {
      pool: openPool({ workers, decoder, timeout: decodeTimeout }),
      quarantine,
      free: [],
      nextStep: startStep,
    };
    const ahead: Promise<Made>[] = [];
    const order = (count: number) => {
      while (ahead.length < count && run.nextStep < this.endStep) {
        const made = this.#make(run, run.nextStep++);
        made.catch(() => {}); // reported when its turn comes
        ahead.push(made);
      }
    };
    try {
      for (;;) {
        const asked = performance.now();
        order(1);
        const first = ahead.shift();
        if (first === undefined) return;
        order(this.#batchesAhead);
        const { batch, seats } = await first;
        quarantine.count(seats);
        batch.waitedMs = performance.now() - asked;
        yield batch;
      }
    } finally {
      await run.pool.close();
    }
  }

  #newQuarantine(): Quarantine {
    const { maxBadFraction, quarantine } = this.#options;
    return new Quarantine(this.#dataset, maxBadFraction, quarantine);
  }

  async #make(run: Run, step: number): Promise<Made> {
    const { clip } = this.#dataset;
    const { frames, size, views } = clip;
    const { batchSize, evaluation } = this.#options;
    const bytes = clipBytes(clip, evaluation);
    const pixels = pixelType(clip, evaluation);
    const places = this.#order.places(step);
    const memory = run.free.pop() ?? new SharedArrayBuffer(batchSize * bytes);
    const seats = await Promise.all(places.map((place, i) => this.#fill(run, step, place, memory, i * bytes)));
    const perClip = <T>(values: readonly T[]) => values.flatMap((value) => new Array<T>(views).fill(value));
    const batch = new ClipBatch({
      shape:
        pixels === "u8"
          ? [places.length * views, frames, size, size, 3]
          : [places.length * views, 3, frames, size, size],
      pixels,
      step,
      epoch: places[0].epoch,
      keys: places.flatMap((place) => Array.from({ length: views }, (_, view) => ({ ...place, view }))),
      sources: perClip(seats.map(({ source }) => sourcePath(source))),
      labels: perClip(seats.map(({ source }) => source.label)),
      replaced: seats.filter(({ replaced }) => replaced).length,
      memory,
      release: () => run.free.push(memory),
    });
    return { batch, seats };
  }

  /** Has the clips of a place made, of another source when its own is bad. */
  async #fill(run: Run, step: number, place: Place, memory: SharedArrayBuffer, offset: number): Promise<Filled> {
    const { seed, evaluation } = this.#options;
    const { sources, clip } = this.#dataset;
    const { source: own, part } = this.#order.at(place);
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      const number = attempt === 0 ? own : this.#order.replacement(place, part, attempt);
      const at = { ...place, attempt };
      if (run.quarantine.isOut(number, step, at)) continue;
      const source = sources[number];
      const shape = source.stride === undefined ? clip : { ...clip, stride: source.stride, rate: undefined };
      const outcome = await run.pool.make({ source, clip: shape, seed, ...at, evaluation, memory, offset });
      if (outcome.made) {
        run.quarantine.good();
        return { source, part, replaced: attempt > 0 };
      }
      const { stage, reason } = outcome;
      if (
        run.quarantine.add(
          { source: number, part },
          at,
          reason,
          stage === "open" ? step + this.#batchesAhead + 1 : null,
        )
      ) {
        this.#options.onBadFile(this.#describe(source, part, place, reason));
      }
      run.quarantine.check(part);
    }
    throw new VideomaeError({
      op: "loader",
      expected: `a good video for place ${place.place} of epoch ${place.epoch}`,
      got: `${MOST_ATTEMPTS} bad ones`,
    });
  }

  #describe(source: Source, part: number, place: Place, reason: string): BadFile {
    const pictures = source.kind === "frames" ? { start: source.start, total: source.total } : {};
    return {
      ...{ source: sourcePath(source), ...pictures, where: source.where, reason, ...place },
      ...{ part: this.#dataset.parts[part].name, bad: this.#quarantine.size, of: this.#dataset.length },
    };
  }
}

interface Run {
  readonly pool: ClipPool;
  readonly quarantine: Quarantine;
  /** Buffers of batches that were disposed of. */
  readonly free: SharedArrayBuffer[];
  /** The first step that is not ordered yet. */
  nextStep: number;
}

/** What came to stand at a place. */
interface Filled {
  readonly source: Source;
  readonly part: number;
  readonly replaced: boolean;
}

interface Made {
  readonly batch: ClipBatch;
  readonly seats: readonly Filled[];
}
