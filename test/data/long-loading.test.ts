// Loading for long: memory, descriptors and threads stay what they were. VIDEOMAE_LOADER_BATCHES=10000 sets how long.
import { symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { haveShared, sharedFolder } from "../fixtures.js";
import { runNode } from "../run-node.js";
import { temporaryFolder } from "../temporary-folder.js";

const batches = Number(process.env.VIDEOMAE_LOADER_BATCHES ?? 800);
const megabyte = 1 << 20;

describe.skipIf(!haveShared)(`${batches} batches of more than a thousand files`, () => {
  it("hold no more at the end than in the middle, and leave nothing", async () => {
    const folder = temporaryFolder();
    for (let i = 0; i < 1024; i++) {
      const clip = join(sharedFolder, `data/videos/motion/pool/0${String(i % 512).padStart(3, "0")}.mp4`);
      symlinkSync(clip, join(folder, `${i}.mp4`));
    }
    for (const name of ["bitflips", "truncated_no_moov", "audio_only"]) {
      symlinkSync(join(sharedFolder, `data/videos/odd/${name}.mp4`), join(folder, `${name}.mp4`));
    }
    writeFileSync(join(folder, "empty.mp4"), "");
    // The engine grows its nursery to tens of megabytes in time; held at its smallest, what is left is ours.
    const flags = ["--expose-gc", "--max-semi-space-size=1"];
    const env = { NODE_OPTIONS: `--import ${pathToFileURL(join(import.meta.dirname, "collect-garbage.mjs")).href}` };
    const run = await runNode("data/long-loading.mjs", {
      flags,
      env,
      args: [folder, `${batches}`],
      timeout: 1_700_000,
    });
    expect([run.status, run.stderr]).toEqual([0, ""]);
    const { before, reports, after, afterLeaving, ...whole } = JSON.parse(run.stdout);
    console.log(`${batches} batches: ${JSON.stringify({ before, reports, after, afterLeaving, ...whole })}`);
    const [early, late, last] = reports;
    for (const report of [late, last]) {
      expect(report.threads).toBe(early.threads);
      expect(report.heapUsed - early.heapUsed).toBeLessThan(megabyte);
    }
    expect(last.arrayBuffers - early.arrayBuffers).toBeLessThan(megabyte);
    // Indexes of files seen for the first time are all that may be added, about a kilobyte each.
    expect(last.resident - late.resident).toBeLessThan(10 * megabyte);
    // Two workers with eight files each, and what the process had.
    expect(whole.mostDescriptors - before.descriptors).toBeLessThanOrEqual(2 * 8 + 16);
    expect(whole.buffers * whole.batchBytes).toBeLessThanOrEqual(whole.bufferBytes);
    for (const end of [after, afterLeaving]) {
      expect(end.threads).toBe(before.threads);
      expect(end.descriptors).toBe(before.descriptors);
      expect(end.arrayBuffers - before.arrayBuffers).toBeLessThan(megabyte);
    }
    const [{ videos, bad }] = whole.data;
    expect([videos, bad]).toEqual([2 * batches, batches >= 600 ? 4 : bad]);
  }, 1_800_000);
});
