// Does `work` for every item, as many at a time as there are processors, in their order.
import os from "node:os";

export async function inParallel(items, work) {
  const waiting = [...items];
  const worker = async () => {
    while (waiting.length > 0) await work(waiting.shift());
  };
  await Promise.all(Array.from({ length: os.availableParallelism() }, worker));
}
