// Starts and ends many workers that use the native module: some finish, some leave tensors behind, some are terminated in
// the middle of their work, some while they load. Prints what native memory was before and is after.
//
//   node test/addon/worker-churn.mjs <workers> <"main" when this thread loads the module too>
import { Worker } from "node:worker_threads";

const [count, place] = process.argv.slice(2);
const file = new URL("worker.mjs", import.meta.url);
const until = (worker, event) => new Promise((resolve) => worker.once(event, resolve));

async function one(i) {
  const kind = i % 40 === 0 ? "hash" : ["leave", "step", "spin", "spin"][i % 4];
  const worker = new Worker(file, { workerData: kind });
  const errors = [];
  worker.on("error", (error) => errors.push(error));
  const ended = until(worker, "exit");
  if (i % 8 === 7) {
    await new Promise((resolve) => setTimeout(resolve, (i * 7) % 45)); // anywhere: loading, importing, working
    await worker.terminate();
  } else if (kind === "spin" || kind === "step") {
    await until(worker, "message");
    await new Promise((resolve) => setTimeout(resolve, (i * 3) % 11));
    await worker.terminate();
  }
  await ended;
  if (errors.length > 0) throw errors[0];
}

/** Runs `n` workers, four at a time. */
async function churn(n) {
  let next = 0;
  const lane = async () => {
    while (next < n) await one(next++);
  };
  await Promise.all([lane(), lane(), lane(), lane()]);
}

const { memory } = place === "main" ? await import("#lib/tensor/memory.js") : { memory: undefined };
const before = memory?.().live;
await churn(Number(count));
const after = (memory ?? (await import("#lib/tensor/memory.js")).memory)();
console.log(JSON.stringify({ before: before ?? 0, after: after.live, arena: after.arena }));
