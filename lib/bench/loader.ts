// How many clips a second the loader makes: decoded, cropped and resized as in pre-training, or with the augmentations of
// fine-tuning. A worker is one thread, so with one worker that is clips a second of a core.
import { type DecoderName, findDecoder } from "../data/find-decoder.js";
import type { LabelledView } from "../data/labelled-view.js";
import { loader, VideoDataset } from "../data/loader.js";
import { batchesAhead } from "../data/loader-options.js";
import { parseRandAugment } from "../data/rand-augment.js";
import { VideomaeError } from "../errors.js";
import { watchOthers } from "./machine.js";
import { ourFields } from "./measured-on.js";
import type { TimedRow } from "./row.js";
import { goesOn, perSecond, type Repeats, sixDigits, timesOf } from "./time-calls.js";

/** What training reads: two kinds of clips. */
export type ClipsOf = "pretrain" | "finetune";

export interface LoaderWork {
  readonly clipsOf: ClipsOf;
  /** A folder of videos or a list. */
  readonly data: string;
  readonly root?: string;
  /** What rows say of the data. */
  readonly source: string;
  /** Clips in a batch. */
  readonly clips: number;
  readonly workers: number;
  readonly decoder?: DecoderName;
  /** Side of a clip, default 224. */
  readonly size?: number;
  readonly round?: number;
  readonly tiny?: boolean;
}

const FRAMES = 16;
const STRIDE = 4;

/** As published recipes of fine-tuning have it. */
export const AUGMENTED: LabelledView = {
  sampling: "dense",
  augment: {
    randAugment: parseRandAugment("rand-m7-n4-mstd0.5-inc1"),
    flip: 0.5,
    erase: { probability: 0.25 },
  },
};

/** What is drawn for a clip decides what it costs, so that a time is the mean over at least so many. */
const CLIPS_OF_A_TIME = 12;

/**
 * Measures batches. A time is that of a batch, as the mean over more of them than are made ahead: they come in bursts.
 * @throws VideomaeError when the data cannot be read, or there is no decoder
 */
export async function measureLoader(work: LoaderWork, repeats: Repeats): Promise<TimedRow> {
  const { clipsOf, data, root, source, clips, workers, decoder = "auto", size = 224, round, tiny } = work;
  const labelled = clipsOf === "finetune" ? AUGMENTED : undefined;
  const dataset = VideoDataset.from(data, { root, frames: FRAMES, stride: STRIDE, size, labelled });
  const refuse = ({ where, reason }: { where: string; reason: string }) => {
    throw new VideomaeError({ op: where, expected: "a video that can be read", got: reason });
  };
  // Other clips in every round: what was drawn for those of one weighs less.
  const seed = round ?? 0;
  const batches = loader(dataset, { batchSize: clips, workers, seed, decoder, decodeTimeout: 0, onBadFile: refuse });
  const iterator = batches[Symbol.asyncIterator]();
  const burst = Math.max(batchesAhead(workers, clips) + 1, tiny ? 1 : Math.ceil(CLIPS_OF_A_TIME / clips));
  const next = async () => {
    for (let i = 0; i < burst; i++) {
      const { value, done } = await iterator.next();
      if (!done) value[Symbol.dispose]();
    }
  };
  const times: number[] = [];
  let [total, processor] = [0, 0];
  try {
    await next(); // the threads start, and files are opened
    const others = watchOthers();
    while (goesOn(times.length, total, repeats)) {
      const [begun, used] = [performance.now(), process.cpuUsage()];
      await next();
      const [took, { user, system }] = [performance.now() - begun, process.cpuUsage(used)];
      times.push(took / burst);
      total += took;
      processor += (user + system) / 1000;
    }
    const measured = timesOf(times, others());
    const on = ourFields({ device: "cpu", dtype: "f32", round, tiny }, { graph: false });
    return {
      bench: "loader",
      ...on,
      variant: { ...on.variant, decoder: (await findDecoder(decoder)).name },
      dtype: labelled ? "f32" : "u8",
      threads: workers,
      ...{ clipsOf, source, clips, frames: FRAMES, size },
      ...measured,
      clipsPerSecond: perSecond(clips, measured.medianMs),
      processorMs: sixDigits(processor / (times.length * burst)),
    };
  } finally {
    await iterator.return?.();
  }
}
