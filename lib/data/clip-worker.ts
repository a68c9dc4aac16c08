// A worker thread of the loader: takes requests and makes their clips into shared memory until it is told to stop.

import { parentPort, workerData } from "node:worker_threads";
import { runSingleThreaded } from "../tensor/memory.js";
import { ClipQueue, WorkerStatus } from "./clip-queue.js";
import { ClipReader } from "./clip-reader.js";
import type { FromWorker, PostedRequest, ToWorker, WorkerSetup } from "./clip-request.js";

runSingleThreaded(true); // the pool's threads are for the training step
const port = parentPort!;
const setup = workerData as WorkerSetup;
const reader = new ClipReader(setup.decoder, { seconds: setup.seconds });
const queue = new ClipQueue(setup.queue);
const status = new WorkerStatus(setup.status);

const posted: PostedRequest[] = [];
let busy = false;

port.on("message", async (message: ToWorker) => {
  if (message !== "stop") posted.push(...message);
  if (busy) return;
  busy = true;
  while (posted.length > 0 && !queue.stopped) {
    const next = posted.shift()!;
    if (queue.take(next.id)) await make(next);
  }
  busy = false;
  if (!queue.stopped) return;
  await reader.close();
  port.close();
});

async function make({ id, request }: PostedRequest): Promise<void> {
  status.begin(id);
  const answer = (message: FromWorker) => port.postMessage(message);
  try {
    answer({ id, outcome: await reader.make(request) });
  } catch (error) {
    answer({ id, failure: error instanceof Error ? error.message : `${error}` });
  }
  status.end();
}
