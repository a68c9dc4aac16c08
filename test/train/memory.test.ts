// Training for long: memory, descriptors and threads stay what they were. `VIDEOMAE_STEPS` sets for how long (1000).
import path from "node:path";
import { describe, expect, it } from "vitest";
import { makeClips } from "../../examples/make-clips.js";
import { runNode } from "../run-node.js";
import { temporaryFolder } from "../temporary-folder.js";

const megabyte = 1 << 20;
const steps = Number(process.env.VIDEOMAE_STEPS ?? 1000);
// The engine grows its nursery to tens of megabytes in time; held at its smallest, what is left is ours.
const flags = ["--expose-gc", "--max-semi-space-size=1"];
const timeout = 60_000 + 100 * steps;

describe.each([
  [steps, "plain"],
  [Math.ceil(0.3 * steps), "recompute"],
])("%s compiled training steps (%s)", (count, kind) => {
  it("allocate nothing, leak nothing and leave nothing", async () => {
    const run = await runNode("train/thousand-steps.mjs", { flags, args: [`${count}`, kind], timeout });
    expect([run.status, run.stderr]).toEqual([0, ""]);
    const { reports, end, first, last } = JSON.parse(run.stdout);
    const [at10, at100, atEnd] = reports;
    for (const key of ["live", "tensors", "systemAllocations", "leaked", "descriptors", "threads"]) {
      expect(at100[key], key).toBe(at10[key]);
      expect(atEnd[key], key).toBe(at10[key]);
    }
    expect(atEnd.leaked).toBe(0);
    expect(atEnd.heap - at100.heap).toBeLessThan(megabyte);
    expect(atEnd.rss - at100.rss).toBeLessThan(5 * megabyte);
    expect(end).toMatchObject({ live: 0, tensors: 0 });
    expect(last).toBeLessThan(first);
  }, 3_600_000);
});

describe(`a run of ${steps} updates`, () => {
  it("holds no more at its end than near its beginning", async () => {
    const folder = temporaryFolder();
    const clips = path.join(folder, "clips");
    await makeClips(clips, { count: 6, frames: 20 });
    const args = [`${steps}`, "run", clips, path.join(folder, "run")];
    const run = await runNode("train/thousand-steps.mjs", { flags, args, timeout });
    expect([run.status, run.stderr]).toEqual([0, ""]);
    const { reports, end } = JSON.parse(run.stdout);
    const [, at100, atEnd] = reports;
    for (const key of ["live", "tensors", "leaked", "descriptors"]) expect(atEnd[key], key).toBe(at100[key]);
    expect(atEnd.threads - at100.threads).toBeLessThanOrEqual(4); // the picture library starts its own as it needs them
    expect(atEnd.heap - at100.heap).toBeLessThan(3 * megabyte);
    expect(atEnd.rss - at100.rss).toBeLessThan(40 * megabyte);
    expect(end).toMatchObject({ live: 0, tensors: 0, leaked: 0 });
  }, 3_600_000);
});
