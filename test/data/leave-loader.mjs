// Leaves the process while a loader's threads decode.
//
//   node test/data/leave-loader.mjs <folder of videos> <milliseconds>
import { loader, VideoDataset } from "#lib/data/loader.js";

const [folder, milliseconds] = process.argv.slice(2);
const dataset = VideoDataset.from(folder, { frames: 16, stride: 4, size: 32 });
for await (const batch of loader(dataset, { batchSize: 2, workers: 3 })) {
  batch[Symbol.dispose]();
  setTimeout(() => process.exit(3), Number(milliseconds));
}
