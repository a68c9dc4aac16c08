// Plays a loader to its end over the videos of a folder and prints what came of it as JSON.
//
//   node test/data/play-troubled.mjs <folder> <loader options as JSON>
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
console.log(JSON.stringify({ bad, sources, failure }));
