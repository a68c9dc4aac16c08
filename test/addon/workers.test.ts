// The native module in many threads: one device context and one thread pool, handles per thread. `VIDEOMAE_WORKERS` sets
// how many threads start and end (250).
import { Worker } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import { runNode } from "../run-node.js";
import { work } from "./work.mjs";

const starts = Number(process.env.VIDEOMAE_WORKERS ?? 250);

describe("worker threads", () => {
  it("compute the same bits as the main thread, several at once", async () => {
    const expected = work();
    const hashes = Array.from({ length: 4 }, async () => {
      const worker = new Worker(new URL("worker.mjs", import.meta.url), { workerData: "hash" });
      return new Promise((resolve, reject) => {
        worker.once("message", resolve);
        worker.once("error", reject);
      });
    });
    const meanwhile = work();
    expect(await Promise.all(hashes)).toEqual([expected, expected, expected, expected]);
    expect(meanwhile).toBe(expected);
  });

  it("may load the module where the main thread has not", async () => {
    const { status, stdout, stderr } = await runNode("addon/worker-churn.mjs", { args: ["24", "workers"] });
    expect(stderr).toBe("");
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toEqual({ before: 0, after: 0, arena: 0 });
  });

  it(`start and end ${starts} times, also terminated in the middle, and leave no memory behind`, async () => {
    const { status, stdout, stderr } = await runNode("addon/worker-churn.mjs", {
      args: [`${starts}`, "main"],
      timeout: 220_000,
    });
    expect(stderr).toBe("");
    expect(status).toBe(0);
    const { before, after, arena } = JSON.parse(stdout);
    expect(after).toBe(before);
    expect(arena).toBe(0);
  }, 240_000);
});
