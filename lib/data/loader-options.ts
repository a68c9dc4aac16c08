// The options of a loader, their defaults and their checks.

import { rejectUnknownOptions, VideomaeError } from "../errors.js";
import type { VideoDataset } from "./dataset.js";
import type { DecoderName } from "./find-decoder.js";
import { isQuarantineState, type QuarantineState } from "./quarantine.js";

/** A video that could not be read. */
export interface BadFile {
  /** Path of the file or folder. */
  readonly source: string;
  /** The pictures, where it is a folder of them. */
  readonly start?: number;
  readonly total?: number;
  /** Where it was named, e.g. `list.csv:12`. */
  readonly where: string;
  readonly reason: string;
  /** Where it was found bad. */
  readonly epoch: number;
  readonly place: number;
  /** The part of the data it belongs to. */
  readonly part: string;
  /** How many bad ones there are so far, this one included, out of how many. */
  readonly bad: number;
  readonly of: number;
}

/** Options of `loader`. */
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
  /** Seconds that the clips of one video may take, default 60; then it is a bad file. 0: for ever. */
  readonly decodeTimeout?: number;
  /** Called once for each bad file. Default: a process warning. */
  readonly onBadFile?: (file: BadFile) => void;
  /**
   * The run ends with an error when more than this fraction of the files of a part is bad, or when more than this
   * fraction of 1000 videos in a row had to be replaced; default 0.5.
   */
  readonly maxBadFraction?: number;
  /** What an earlier loader of this run had learnt of its files: see `Loader.quarantine`. */
  readonly quarantine?: QuarantineState;
  /** The videos in their own order, each with its middle frames and centre crop; the last batch may be smaller. */
  readonly evaluation?: boolean;
}

/** Batches that are made while one is in use: at least two, and at least two videos for each worker. */
export function batchesAhead(workers: number, batchSize: number): number {
  return workers === 0 ? 0 : Math.max(2, Math.ceil((2 * workers) / batchSize));
}

const OPTIONS = [
  ...["batchSize", "workers", "seed", "startStep", "epochs", "steps"],
  ...["decoder", "decodeTimeout", "onBadFile", "maxBadFraction", "quarantine", "evaluation"],
];
/** A day. */
const LONGEST = 86_400;

/** The options with every default filled in. */
export type LoaderSettings = Required<Omit<LoaderOptions, "epochs" | "steps" | "quarantine">> &
  Pick<LoaderOptions, "epochs" | "steps" | "quarantine">;

const defaults = {
  workers: 2,
  seed: 0,
  startStep: 0,
  decoder: "auto" as DecoderName,
  decodeTimeout: 60,
  onBadFile: ({ source, reason }: BadFile) => process.emitWarning(`bad video ${source}: ${reason}`, "VideomaeWarning"),
  maxBadFraction: 0.5,
  evaluation: false,
};

/** Fills in the defaults. @throws VideomaeError that names the option */
export function checkLoaderOptions(options: LoaderOptions, dataset: VideoDataset): LoaderSettings {
  rejectUnknownOptions("loader", options, OPTIONS);
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
  const { maxBadFraction = 0.5, decodeTimeout = 60, quarantine, evaluation, decoder } = options;
  if (!(maxBadFraction >= 0 && maxBadFraction <= 1)) fail("maxBadFraction in [0, 1]", maxBadFraction);
  if (!(decodeTimeout >= 0 && decodeTimeout <= LONGEST))
    fail(`decodeTimeout in [0, ${LONGEST}] seconds`, decodeTimeout);
  if (evaluation && dataset.clip.views !== 1)
    fail("one view in evaluation, where all are the same", dataset.clip.views);
  if (decoder !== undefined && !["auto", "node-av", "ffmpeg"].includes(decoder)) {
    fail('decoder to be "auto", "node-av" or "ffmpeg"', `"${decoder}"`);
  }
  if (quarantine !== undefined && !isQuarantineState(quarantine)) {
    fail("quarantine as a loader gives it", JSON.stringify(quarantine)?.slice(0, 80));
  }
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  return { ...defaults, ...(given as typeof options) };
}
