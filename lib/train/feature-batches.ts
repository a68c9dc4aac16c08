// Batches of stored features, in the order in which the loader would give the clips: another shuffle every epoch, keyed by the
// seed, so any step is known without those before it.
import { ClipBatch } from "../data/clip-batch.js";
import { ClipOrder } from "../data/clip-order.js";
import type { LoaderOptions } from "../data/loader.js";
import { wholePart } from "../data/mixture.js";
import { Quarantine } from "../data/quarantine.js";
import type { FeatureStore } from "./feature-store.js";
import type { BatchSource } from "./training-run.js";

/**
 * @param store  whose features are read, a batch at a time
 * @param options.startStep  counted over all epochs
 */
export function featureBatches(store: FeatureStore, options: LoaderOptions): BatchSource {
  const { batchSize, seed = 0, startStep = 0, steps = Number.POSITIVE_INFINITY } = options;
  const parts = [wholePart(store.clips)];
  const order = new ClipOrder(parts, batchSize, seed, false);
  const counted = new Quarantine({ sources: [], parts }, 1, options.quarantine);
  const shape = [batchSize, ...store.shape];
  const size = shape.reduce((product, n) => product * n, 1);
  return {
    stepsPerEpoch: order.stepsPerEpoch,
    quarantine: () => counted.state(),
    report: () => counted.report(),
    async *[Symbol.asyncIterator]() {
      for (let step = startStep; step < startStep + steps; step++) {
        const keys = order.places(step).map((place) => ({ ...place, view: 0 }));
        const clips = keys.map((key) => order.at(key).source);
        const memory = new SharedArrayBuffer(size * 4);
        store.read(clips, new Float32Array(memory));
        counted.count(clips.map(() => ({ part: 0, replaced: false })));
        yield new ClipBatch({
          ...{ shape, step, epoch: keys[0].epoch, keys, pixels: "f32", memory, replaced: 0, release: () => {} },
          sources: clips.map((clip) => `clip ${clip} of the features`),
          labels: clips.map((clip) => store.labels[clip]),
        });
      }
    },
  };
}
