// A worker thread of the loader: takes requests and makes their clips into shared memory until it is told to stop.

import { parentPort, workerData } from "node:worker_threads";
import { runSingleThreaded } from "../tensor/memory.js";
import { ClipQueue, WorkerStatus } from "./clip-queue.js";
import { ClipReader } from "./clip-reader.js";
import type { FromWorker, PostedRequest, ToWorker, WorkerSetup } from "./clip-request.js";
import { WorkSignal } from "./work-signal.js";

runSingleThreaded(true); // the pool's threads are for the training step
const port = parentPort!;
const setup = workerData as WorkerSetup;
const signal = new WorkSignal(setup.signal);
const reader = new ClipReader(setup.decoder, { seconds: setup.seconds, signal });
const queue = new ClipQueue(setup.queue);
const status = new WorkerStatus(setup.status);

const posted: PostedRequest[] = [];
let busy = false;

port.on("message", async (message: ToWorker) => {
  if (message !== "stop") posted.push(...message);
  if (busy) return;
  busy = true;
  await signal.during(async () => {
    while (posted.length > 0 && !signal.stopped) {
      const next = posted.shift()!;
      if (queue.take(next.id)) await make(next);
    }
    if (signal.stopped) await reader.close();
  });
  busy = false;
  if (signal.stopped) port.close();
});

async function make({ id, request }: PostedRequest): Promise<void> {
  status.begin(id);
  const answer = await reader.make(request).then(
    (outcome) => ({ id, outcome }),
    (error) => ({ id, failure: error instanceof Error ? error.message : `${error}` }),
  );
  // What was stopped on the way is no outcome: `status` says that it is left undone.
  if (signal.stopped) return;
  port.postMessage(answer satisfies FromWorker);
  status.end();
}
