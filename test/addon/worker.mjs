// A worker for the tests. workerData: "hash" does the work once and posts its hash; "leave" ends with tensors undisposed;
// "spin" posts "ready" and multiplies matrices until it is terminated; "step" does the same under an open arena.
import { parentPort, workerData } from "node:worker_threads";
import { binding } from "#lib/addon/binding.js";

const matrix = () => binding.fromArray(new Float32Array(100 * 100).fill(1), [100, 100], "f32");

if (workerData === "hash") parentPort.postMessage((await import("./work.mjs")).work());
if (workerData === "leave") {
  globalThis.kept = [matrix(), matrix(), binding.createArena()];
  globalThis.kept[2].open();
  globalThis.kept.push(matrix());
}
if (workerData === "spin" || workerData === "step") {
  if (workerData === "step") {
    globalThis.arena = binding.createArena();
    globalThis.arena.open();
  }
  parentPort.postMessage("ready");
  for (;;) {
    const [a, b] = [matrix(), matrix()];
    const { y } = binding.ops.matmul({ a, b });
    try {
      binding.ops.softmax({ x: "no tensor" }); // errors under termination too
    } catch {}
    for (const x of [a, b, y]) binding.dispose(x);
  }
}
