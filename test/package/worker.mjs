// The package in worker threads and in the main thread of one process: the same product everywhere.
import { isMainThread, parentPort, Worker } from "node:worker_threads";
import { matmul, scope, Tensor } from "videomae";

const product = () =>
  scope(async () => {
    const x = Tensor.fromArray(
      Float32Array.from({ length: 64 * 64 }, (_, i) => Math.sin(i)),
      [64, 64],
    );
    return Buffer.from((await matmul(x, x).read()).buffer).toString("base64");
  });

if (isMainThread) {
  const workers = [1, 2].map(
    () =>
      new Promise((resolve, reject) => {
        new Worker(new URL(import.meta.url)).once("message", resolve).once("error", reject);
      }),
  );
  const [here, ...there] = await Promise.all([product(), ...workers]);
  if (there.some((bytes) => bytes !== here)) throw new Error("a worker's product differs");
  console.log(`${there.length} worker threads agree with the main thread`);
} else parentPort.postMessage(await product());
