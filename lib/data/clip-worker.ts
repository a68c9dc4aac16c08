// A worker thread of the loader: makes clips into shared memory until it is told to stop.

import { parentPort, workerData } from "node:worker_threads";
import { runSingleThreaded } from "../tensor/memory.js";
import { ClipReader } from "./clip-reader.js";
import type { FromWorker, ToWorker, WorkerSetup } from "./clip-request.js";

runSingleThreaded(true); // the pool's threads are for the training step
const port = parentPort!;
const reader = new ClipReader((workerData as WorkerSetup).decoder);

const answer = (message: FromWorker) => port.postMessage(message);

port.on("message", async (message: ToWorker) => {
  if (message === "stop") {
    await reader.close();
    port.close();
    return;
  }
  const { id, request } = message;
  try {
    answer({ id, outcome: await reader.make(request) });
  } catch (error) {
    answer({ id, failure: error instanceof Error ? error.message : `${error}` });
  }
});
