// The thread of a predictor: loads the model, then works on clips one after the other, in the order they came.

import { parentPort, workerData } from "node:worker_threads";
import { WorkSignal } from "../data/work-signal.js";
import { imageNetMean, imageNetStd } from "../models/pixel-statistics.js";
import { emptyCache } from "../tensor/memory.js";
import { openClassifier } from "../weights/open-model.js";
import { classifyClip } from "./classify-clip.js";
import { openClip } from "./clip-source.js";
import { extractFeatures } from "./extract-features.js";
import type { InputSpec } from "./model-input.js";
import { type FromPredictor, type PredictorSetup, storeError, type ToPredictor } from "./predictor-messages.js";

const port = parentPort!;
const answer = (message: FromPredictor, transfer: ArrayBuffer[] = []) => port.postMessage(message, transfer);
const setup = workerData as PredictorSetup;
const signal = new WorkSignal(setup.signal);
const { model, labels, report, preprocessing, sampling } = await open();
model.packWeights();
const { image } = model.config;
const input: InputSpec = {
  image,
  shortSide: setup.preprocessing.shortSide ?? preprocessing.shortSide ?? image,
  mean: setup.preprocessing.mean ?? preprocessing.mean ?? imageNetMean,
  std: setup.preprocessing.std ?? preprocessing.std ?? imageNetStd,
};
answer({ model: { config: model.config, labels, report, sampling } });

class Cancelled extends Error {}

/** Pieces of work that were given up; one that is done is forgotten. */
const cancelled = new Set<number>();
let queue: Promise<void> = Promise.resolve();

port.on("message", (message: ToPredictor) => {
  if (message === "stop") {
    queue = queue.then(() => {
      model.dispose();
      emptyCache();
      port.close();
    });
  } else if ("cancel" in message) cancelled.add(message.cancel);
  else queue = queue.then(() => work(message));
});

async function open() {
  try {
    return await openClassifier(setup.weights, setup);
  } catch (error) {
    answer({ failed: storeError(error) });
    return process.exit();
  }
}

async function work({ id, clip, work }: Extract<ToPredictor, { work: unknown }>): Promise<void> {
  /** Lets messages in: a piece of work can be given up between two views. */
  const pause = () => new Promise<void>((resolve) => setImmediate(resolve)).then(() => stopIfCancelled(id));
  try {
    await pause();
    const opened = await openClip(clip, setup, signal);
    try {
      if (work.task === "classify") {
        answer({ id, probabilities: await classifyClip(model, opened, input, work.views, pause) });
      } else {
        const features = await extractFeatures(model, opened, input, work.views, (progress) => {
          answer({ id, progress });
          return pause();
        });
        answer({ id, features }, [features.values.buffer as ArrayBuffer]);
      }
    } finally {
      await opened.close();
    }
  } catch (error) {
    if (!(error instanceof Cancelled)) answer({ id, error: storeError(error) });
  } finally {
    cancelled.delete(id);
  }
}

function stopIfCancelled(id: number): void {
  if (cancelled.has(id)) throw new Cancelled();
}
