// Plays a loader to its end over the videos of a folder and prints what came of it as JSON.
//
//   node test/data/play-troubled.mjs <folder> <loader options as JSON>
import { openSync } from "node:fs";
import { loader, VideoDataset } from "#lib/data/loader.js";

const [folder, options] = process.argv.slice(2);
const dataset = VideoDataset.from(folder, { frames: 4, stride: 2, size: 32 });
const bad = [];
const sources = [];
let failure;
const batches = loader(dataset, {
  ...{ batchSize: 2, workers: 2, maxBadFraction: 0.9, onBadFile: ({ reason }) => bad.push(reason) },
  ...JSON.parse(options),
});
try {
  for await (const batch of batches) {
    sources.push(...batch.sources);
    batch[Symbol.dispose]();
  }
} catch (error) {
  failure = `${error.name} ${error.message}`;
}
// Lets go of a thread that waits for the other end of this pipe; the process could not end before.
if (process.env.VIDEOMAE_TEST_PIPE) openSync(process.env.VIDEOMAE_TEST_PIPE, "r+");
console.log(JSON.stringify({ bad, sources, failure }));
