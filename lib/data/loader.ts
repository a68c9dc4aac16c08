// Batches of clips, decoded by worker threads into a ring of shared buffers while the caller computes.
//
// A batch is a function of (sources, options, seed, step): the same whatever the number of workers, and reached by a
// resumed run without decoding the steps before it. A bad file is reported once and another takes its place, drawn from
// (seed, epoch, place, attempt). Memory: three batches; one that is never disposed of leaves the ring with its buffer.

import { rejectUnknownOptions, VideomaeError } from "../errors.js";
import { BadSources } from "./bad-sources.js";
import { ClipBatch } from "./clip-batch.js";
import { ClipOrder, type Place } from "./clip-order.js";
import { type ClipPool, openPool } from "./clip-pool.js";
import { clipBytes } from "./clip-request.js";
import type { VideoDataset } from "./dataset.js";
import type { DecoderName } from "./find-decoder.js";
import { sourcePath } from "./source.js";

export { ClipBatch } from "./clip-batch.js";
export { type ClipOptions, VideoDataset } from "./dataset.js";

/** A video that could not be read. */
export interface BadFile {
  /** Path of the file or folder. */
  readonly source: string;
  /** Where it was named, e.g. `list.csv:12`. */
  readonly where: string;
  readonly reason: string;
  /** How many bad ones there are so far, this one included, out of how many. */
  readonly bad: number;
  readonly of: number;
}

export interface LoaderOptions {
  /** Videos in a batch; it holds `batchSize * views` clips. */
  readonly batchSize: number;
  /** Decoding threads, default 2; 0 decodes in this thread, when a batch is asked for. */
  readonly workers?: number;
  readonly seed?: number;
  /** First step, counted over all epochs; default 0. */
  readonly startStep?: number;
  /** End after this many epochs, counted from the first of all. Default: never (1 in evaluation). */
  readonly epochs?: number;
  /** Instead of epochs: how many batches to give, from `startStep` on. */
  readonly steps?: number;
  readonly decoder?: DecoderName;
  /** Called once for each bad file. Default: a process warning. */
  readonly onBadFile?: (file: BadFile) => void;
  /** The run ends with an error when more than this fraction of the videos is bad; default 0.5. */
  readonly maxBadFraction?: number;
  /** The videos in their own order, each with its middle frames and centre crop; the last batch may be smaller. */
  readonly evaluation?: boolean;
}

const OPTIONS = [
  ...["batchSize", "workers", "seed", "startStep", "epochs", "steps"],
  ...["decoder", "onBadFile", "maxBadFraction", "evaluation"],
];
const BATCHES_AHEAD = 2;
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
  readonly #dataset: VideoDataset;
  readonly #options: Required<Omit<LoaderOptions, "epochs" | "steps">>;
  readonly #order: ClipOrder;

  constructor(dataset: VideoDataset, options: LoaderOptions) {
    rejectUnknownOptions("loader", options, OPTIONS);
    const { epochs, steps, ...rest } = options;
    const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
    this.#options = { ...defaults, ...(given as typeof rest) };
    check(options, dataset);
    const { batchSize, seed, evaluation } = this.#options;
    this.#dataset = dataset;
    this.#order = new ClipOrder(dataset.length, batchSize, seed, evaluation);
    this.stepsPerEpoch = this.#order.stepsPerEpoch;
    const passes = epochs ?? (evaluation ? 1 : Number.POSITIVE_INFINITY);
    this.endStep = steps === undefined ? passes * this.stepsPerEpoch : this.#options.startStep + steps;
    if (!evaluation && dataset.length < batchSize) {
      this.note = `${dataset.length} videos fill a batch of ${batchSize} only when gone through more than once: an epoch is one step`;
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ClipBatch, void, undefined> {
    const { workers, decoder, startStep, maxBadFraction } = this.#options;
    const run: Run = {
      pool: openPool(workers, decoder),
      bad: new BadSources(this.#dataset.length, maxBadFraction),
      free: [],
    };
    const ahead: Promise<ClipBatch>[] = [];
    let next = startStep;
    const order = (count: number) => {
      for (; ahead.length < count && next < this.endStep; next++) {
        const batch = this.#batch(run, next);
        batch.catch(() => {}); // reported when its turn comes
        ahead.push(batch);
      }
    };
    try {
      for (;;) {
        const asked = performance.now();
        order(1);
        const first = ahead.shift();
        if (first === undefined) return;
        if (workers > 0) order(BATCHES_AHEAD);
        const batch = await first;
        batch.waitedMs = performance.now() - asked;
        yield batch;
      }
    } finally {
      await run.pool.close();
    }
  }

  async #batch(run: Run, step: number): Promise<ClipBatch> {
    const { frames, size, views } = this.#dataset.clip;
    const { batchSize } = this.#options;
    const bytes = clipBytes(this.#dataset.clip);
    const places = this.#order.places(step);
    const memory = run.free.pop() ?? new SharedArrayBuffer(batchSize * bytes);
    const sources = await Promise.all(places.map((place, i) => this.#clips(run, place, memory, i * bytes)));
    return new ClipBatch({
      shape: [places.length * views, frames, size, size, 3],
      step,
      epoch: places[0].epoch,
      keys: places.flatMap((place) => Array.from({ length: views }, (_, view) => ({ ...place, view }))),
      sources: sources.flatMap((source) => new Array<string>(views).fill(source)),
      memory,
      release: () => run.free.push(memory),
    });
  }

  /** Has the clips of a place made, of another source when its own is bad. Returns the path of the one used. */
  async #clips(run: Run, place: Place, memory: SharedArrayBuffer, offset: number): Promise<string> {
    const { seed, evaluation } = this.#options;
    const { sources, clip } = this.#dataset;
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      const number = attempt === 0 ? this.#order.source(place) : this.#order.replacement(place, attempt);
      if (run.bad.neverOpens(number)) continue;
      const source = sources[number];
      const outcome = await run.pool.make({ source, clip, seed, ...place, attempt, evaluation, memory, offset });
      if (outcome.made) {
        run.bad.good();
        return sourcePath(source);
      }
      if (run.bad.add(number, outcome.stage, outcome.reason)) {
        const { where } = source;
        this.#options.onBadFile({
          ...{ source: sourcePath(source), where, reason: outcome.reason },
          ...{ bad: run.bad.size, of: sources.length },
        });
      }
      run.bad.check();
    }
    throw new VideomaeError({
      op: "loader",
      expected: `a good video for place ${place.place} of epoch ${place.epoch}`,
      got: `${MOST_ATTEMPTS} bad ones`,
    });
  }
}

interface Run {
  readonly pool: ClipPool;
  readonly bad: BadSources;
  /** Buffers of batches that were disposed of. */
  readonly free: SharedArrayBuffer[];
}

const defaults = {
  workers: 2,
  seed: 0,
  startStep: 0,
  decoder: "auto" as DecoderName,
  onBadFile: ({ source, reason }: BadFile) => process.emitWarning(`bad video ${source}: ${reason}`, "VideomaeWarning"),
  maxBadFraction: 0.5,
  evaluation: false,
};

function check(options: LoaderOptions, dataset: VideoDataset): void {
  const fail = (expected: string, got: unknown): never => {
    throw new VideomaeError({ op: "loader", expected, got: `${got}` });
  };
  const least = { batchSize: 1, workers: 0, seed: 0, startStep: 0, epochs: 0, steps: 0 };
  for (const [name, minimum] of Object.entries(least)) {
    const value = options[name as keyof typeof least];
    if (value === undefined && name !== "batchSize") continue;
    if (!Number.isSafeInteger(value) || value! < minimum)
      fail(`${name} to be an integer of at least ${minimum}`, value);
  }
  if (options.epochs !== undefined && options.steps !== undefined) fail("epochs or steps", "both");
  const { maxBadFraction = 0.5, evaluation, decoder } = options;
  if (!(maxBadFraction >= 0 && maxBadFraction <= 1)) fail("maxBadFraction in [0, 1]", maxBadFraction);
  if (evaluation && dataset.clip.views !== 1)
    fail("one view in evaluation, where all are the same", dataset.clip.views);
  if (decoder !== undefined && !["auto", "node-av", "ffmpeg"].includes(decoder)) {
    fail('decoder to be "auto", "node-av" or "ffmpeg"', `"${decoder}"`);
  }
}
