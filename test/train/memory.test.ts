// Training for long: memory stays what it was.
import { describe, expect, it } from "vitest";
import { runNode } from "../run-node.js";

const megabyte = 1 << 20;

describe.each([
  ["1000", "plain"],
  ["300", "recompute"],
])("%s compiled training steps (%s)", (steps, kind) => {
  it("allocate nothing, leak nothing and leave nothing", async () => {
    // The engine grows its nursery to tens of megabytes in time; held at its smallest, what is left is ours.
    const flags = ["--expose-gc", "--max-semi-space-size=1"];
    const run = await runNode("train/thousand-steps.mjs", { flags, args: [steps, kind] });
    expect([run.status, run.stderr]).toEqual([0, ""]);
    const { reports, end, first, last } = JSON.parse(run.stdout);
    const [at10, at100, atEnd] = reports;
    for (const key of ["live", "tensors", "systemAllocations", "leaked"]) {
      expect(at100[key], key).toBe(at10[key]);
      expect(atEnd[key], key).toBe(at10[key]);
    }
    expect(atEnd.leaked).toBe(0);
    expect(atEnd.heap - at100.heap).toBeLessThan(megabyte);
    expect(atEnd.rss - at100.rss).toBeLessThan(5 * megabyte);
    expect(end).toMatchObject({ live: 0, tensors: 0 });
    expect(last).toBeLessThan(first);
  }, 120_000);
});
