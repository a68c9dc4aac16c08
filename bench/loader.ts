// What the loader costs on top of decoding: clips of 16 of 64 frames, cropped and resized to 224, made by bare readers
// and by the loader, on the same number of threads.
//
//   npm run bench:loader -- --data clips/ --rounds 3 --threads 1,2
//
// Bare: each thread reads its videos one after another with a reader of its own; nothing is shared and nothing waits.
// Rounds alternate bare and loader, so that what else the machine does falls on both. Prints JSON rows: one for each
// round, and one for each number of threads with the medians of the rounds' overheads. Processor time for a clip hardly
// depends on what else runs; wall time does. Without `--data` the clips are made by the ffmpeg program.
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { loader, runSingleThreaded, VideoDataset } from "videomae";
import { makeClips } from "#lib/bench/made-clips.js";
import { median } from "#lib/bench/pairing.js";
import { ClipOrder } from "#lib/data/clip-order.js";
import { ClipReader } from "#lib/data/clip-reader.js";
import { clipBytes } from "#lib/data/clip-request.js";
import type { DecoderName } from "#lib/data/find-decoder.js";
import { batchesAhead } from "#lib/data/loader-options.js";

interface Work {
  readonly data: string;
  readonly root: string | undefined;
  readonly clips: number;
  readonly decoder: DecoderName;
}

interface Cost {
  readonly wallMs: number;
  readonly processorMs: number;
}

interface ThreadData {
  readonly work: Work;
  readonly index: number;
  readonly threads: number;
}

const shape = { frames: 16, stride: 4, size: 224 };
const BATCH = 4;

/**
 * Reads a thread's share of some steps, exactly the clips that the loader makes for them: which frames of a video a clip
 * has decides what it costs.
 */
async function readBare({ data, root }: Work, reader: ClipReader, steps: readonly number[]): Promise<void> {
  const { index, threads } = workerData as ThreadData;
  const { sources, clip, parts } = VideoDataset.from(data, { root, ...shape });
  const order = new ClipOrder(parts, BATCH, 0, false);
  const memory = new SharedArrayBuffer(clipBytes(clip, false));
  const places = steps.flatMap((step) => order.places(step)).filter((_, i) => i % threads === index);
  for (const place of places) {
    const key = { seed: 0, ...place, attempt: 0, evaluation: false };
    const source = sources[order.at(place).source];
    const outcome = await reader.make({ source, clip, ...key, memory, offset: 0 });
    if (!outcome.made) throw new Error(outcome.reason);
  }
}

/** Threads start before the clock does, and read the first batch to load what they need. */
async function bare(work: Work, threads: number): Promise<Cost> {
  const workers = Array.from({ length: threads }, (_, index) => {
    return new Worker(new URL(import.meta.url), { workerData: { work, index, threads } satisfies ThreadData });
  });
  const all = (action: (worker: Worker) => void) =>
    Promise.all(
      workers.map((worker) => {
        return new Promise((resolve, reject) => {
          worker.once("message", resolve);
          worker.once("error", reject);
          action(worker);
        });
      }),
    );
  await all((worker) => worker.postMessage("warm up"));
  const cost = await timed(async () => {
    await all((worker) => worker.postMessage("read"));
  });
  await Promise.all(workers.map((worker) => worker.terminate()));
  return cost;
}

async function loaded({ data, root, clips, decoder }: Work, workers: number): Promise<Cost> {
  const dataset = VideoDataset.from(data, { root, ...shape });
  const ahead = batchesAhead(workers, BATCH);
  const steps = clips / BATCH + ahead + 1;
  // The first batch warms the threads up. When it is given out the next ones are under way, and when the clock stops
  // as many are: what was begun before makes up for what is not finished.
  const batches = loader(dataset, { batchSize: BATCH, workers, decoder, steps });
  const iterator = batches[Symbol.asyncIterator]();
  const next = async () => {
    const { value, done } = await iterator.next();
    if (!done) value[Symbol.dispose]();
  };
  await next();
  const cost = await timed(async () => {
    for (let step = 0; step < clips / BATCH; step++) await next();
  });
  await iterator.return?.();
  return cost;
}

async function timed(action: () => Promise<void>): Promise<Cost> {
  const [begun, used] = [performance.now(), process.cpuUsage()];
  await action();
  const { user, system } = process.cpuUsage(used);
  return { wallMs: performance.now() - begun, processorMs: (user + system) / 1000 };
}

const rounded = (value: number, digits = 2) => Number(value.toFixed(digits));

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      data: { type: "string" },
      root: { type: "string" },
      clips: { type: "string", default: "96" },
      rounds: { type: "string", default: "3" },
      threads: { type: "string", default: "1,2" },
      decoder: { type: "string", default: "auto" },
    },
  });
  const made = values.data === undefined ? mkdtempSync(path.join(os.tmpdir(), "videomae-bench-")) : undefined;
  try {
    if (made !== undefined) await makeClips(made, 300);
    const decoder = values.decoder as DecoderName;
    const clips = Number(values.clips);
    const work: Work = { data: values.data ?? made!, root: values.root, clips, decoder };
    const machine = { processor: os.cpus()[0].model, date: new Date().toISOString().slice(0, 10) };
    for (const threads of values.threads.split(",").map(Number)) {
      const overheads: { wall: number; processor: number }[] = [];
      for (let round = 0; round < Number(values.rounds); round++) {
        const costs = { bare: await bare(work, threads), loader: await loaded(work, threads) };
        for (const [system, { wallMs, processorMs }] of Object.entries(costs)) {
          const rate = { clipsPerSecondPerThread: rounded((1000 * clips) / wallMs / threads) };
          const processor = { processorMsPerClip: rounded(processorMs / clips) };
          console.log(
            JSON.stringify({ bench: "loader", system, threads, round, clips, ...rate, ...processor, ...machine }),
          );
        }
        overheads.push({
          wall: costs.loader.wallMs / costs.bare.wallMs - 1,
          processor: costs.loader.processorMs / costs.bare.processorMs - 1,
        });
      }
      const overhead = (kind: "wall" | "processor") => rounded(median(overheads.map((one) => one[kind])), 3);
      const medians = { wallOverhead: overhead("wall"), processorOverhead: overhead("processor") };
      console.log(
        JSON.stringify({ bench: "loader overhead", threads, rounds: overheads.length, ...medians, ...machine }),
      );
    }
  } finally {
    if (made !== undefined) rmSync(made, { recursive: true });
  }
}

if (isMainThread) {
  await main();
} else {
  runSingleThreaded(true); // as the loader's threads are
  const { work } = workerData as ThreadData;
  const reader = new ClipReader(work.decoder);
  const timed = Array.from({ length: work.clips / BATCH }, (_, i) => i + 1);
  parentPort!.on("message", async (message: "warm up" | "read") => {
    await readBare(work, reader, message === "read" ? timed : [0]);
    parentPort!.postMessage("done");
  });
}
