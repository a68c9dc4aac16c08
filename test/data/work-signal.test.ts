// Threads that decode, when they are to stop and when the process exits.
import { once } from "node:events";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import { WorkSignal } from "#lib/data/work-signal.js";
import { haveShared, sharedFolder } from "../fixtures.js";
import { runNode } from "../run-node.js";

describe("work in another thread", () => {
  it("has stopped when the thread is left, and none begins afterwards", async () => {
    const signal = new WorkSignal();
    const seen = new Int32Array(new SharedArrayBuffer(8)); // begun, ended
    const script = `
      import { workerData, parentPort } from "node:worker_threads";
      const { WorkSignal } = await import(${JSON.stringify(import.meta.resolve("#lib/data/work-signal.js"))});
      const signal = new WorkSignal(workerData.signal);
      for (;;) {
        await signal.during(async () => {
          if (Atomics.add(workerData.seen, 0, 1) === 0) parentPort.postMessage("at work");
          while (!signal.stopped);
          Atomics.add(workerData.seen, 1, 1);
        });
      }`;
    const url = new URL(`data:text/javascript,${encodeURIComponent(script)}`);
    const worker = new Worker(url, { workerData: { signal: signal.memory, seen } });
    await once(worker, "message");
    signal.leave(60_000);
    const left = [...seen];
    expect(left[0]).toBe(left[1]);
    await new Promise((later) => setTimeout(later, 50));
    expect([...seen]).toEqual(left);
    await worker.terminate();
  });

  it("that does not stop is waited for no longer than that", () => {
    const signal = new WorkSignal();
    signal.during(() => new Promise(() => {}));
    signal.leave(10);
    expect(signal.stopped).toBe(true);
  });
});

describe.skipIf(!haveShared)("a process that exits while its loader decodes", () => {
  // Terminated between two calls, node-av ended one process of five with SIGABRT.
  it("exits as it says", async () => {
    const folder = join(sharedFolder, "data/videos/motion");
    for (let i = 0; i < 12; i++) {
      const { status, stderr } = await runNode("data/leave-loader.mjs", { args: [folder, `${5 * i}`] });
      expect([status, stderr]).toEqual([3, ""]);
    }
  });
});
