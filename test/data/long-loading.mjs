// Plays a loader for long over a folder, and prints what the process held along the way.
//
//   node --expose-gc test/data/long-loading.mjs <folder> <batches>
import { readdirSync, readFileSync } from "node:fs";
import { setImmediate as turn } from "node:timers/promises";
import { loader, VideoDataset } from "#lib/data/loader.js";

const [folder, count] = process.argv.slice(2);
const batches = Number(count);
const dataset = VideoDataset.from(folder, { frames: 4, stride: 2, size: 32 });
const options = { batchSize: 2, workers: 2, seed: 1, onBadFile: () => {} };

const descriptors = () => readdirSync("/proc/self/fd").length;
const resident = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))[1]) * 1024;

async function held() {
  for (let i = 0; i < 4; i++) {
    globalThis.gc();
    await turn();
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  const threads = readdirSync("/proc/self/task").length;
  return { threads, descriptors: descriptors(), heapUsed, arrayBuffers, resident: resident() };
}

/** An iteration that is left after some batches, as a loop that breaks leaves it. */
async function leave(after) {
  let left = after;
  for await (const batch of loader(dataset, options)) {
    batch[Symbol.dispose]();
    if (--left === 0) break;
  }
}

await leave(3);
const before = await held();

const buffers = new Set();
const reports = [];
let mostDescriptors = 0;
let bytes = 0;
const play = loader(dataset, { ...options, steps: batches });
for await (const batch of play) {
  buffers.add(batch.frames.buffer);
  bytes = batch.frames.byteLength;
  mostDescriptors = Math.max(mostDescriptors, descriptors());
  batch[Symbol.dispose]();
  const done = batch.step + 1;
  if ([0.4, 0.7, 1].some((part) => done === Math.round(part * batches))) reports.push(await held());
}
const after = await held();
for (let i = 1; i <= 10; i++) await leave(i);
console.log(
  JSON.stringify({
    ...{ before, reports, after, afterLeaving: await held(), mostDescriptors, buffers: buffers.size },
    ...{ batchBytes: bytes, bufferBytes: play.bufferBytes, data: play.report() },
  }),
);
