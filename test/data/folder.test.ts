// A folder of real videos, broken and odd ones among them, through the loader.
import { join, relative } from "node:path";
import { describe, expect, it } from "vitest";
import { type BadFile, loader, VideoDataset } from "#lib/data/loader.js";
import { haveShared, sharedFolder } from "../fixtures.js";

const broken: Record<string, RegExp> = {
  "candle/hello.mp4": /a video stream; got none/,
  "decord/corrupted.mp4": /damaged|decode/,
  "odd/audio_only.mp4": /a video stream; got none/,
  "odd/bitflips.mp4": /damaged|decode/,
  "odd/not_a_video.mp4": /a video/,
  "odd/truncated_faststart.mp4": /cut short|120 frames/,
  "odd/truncated_no_moov.mp4": /a video/,
  "odd/zero_bytes.mp4": /an empty file/,
};

describe.skipIf(!haveShared)("a folder of videos of all kinds", () => {
  it("is gone through once, and each broken file is named once with its reason", async () => {
    const folder = join(sharedFolder, "data/videos");
    const dataset = VideoDataset.from(folder, { frames: 16, stride: 4, size: 32 });
    const bad: BadFile[] = [];
    const seen = new Map<string, number>();
    let replaced = 0;
    const options = { batchSize: 2, epochs: 1, workers: 2, seed: 1, onBadFile: (file: BadFile) => bad.push(file) };
    const batches = loader(dataset, options);
    for await (using batch of batches) {
      replaced += batch.replaced;
      for (const source of batch.sources) {
        const name = relative(folder, source);
        seen.set(name, (seen.get(name) ?? 0) + 1);
      }
    }
    expect(dataset.length).toBeGreaterThan(700);
    expect(dataset.length % 2).toBe(0); // or the last one would be dropped
    expect(bad.map(({ source }) => relative(folder, source)).sort()).toEqual(Object.keys(broken));
    for (const { source, where, reason, place } of bad) {
      expect(where).toBe(source);
      expect(reason).toContain(source);
      expect(reason).toMatch(broken[relative(folder, source)]);
      expect(place).toBeLessThan(dataset.length);
    }
    for (const { path } of dataset.sources as readonly { path: string }[]) {
      const name = relative(folder, path);
      if (name in broken) expect(seen.has(name), name).toBe(false);
      else expect(seen.get(name), name).toBeGreaterThanOrEqual(1);
    }
    expect(replaced).toBe(bad.length);
    expect([...seen.values()].reduce((a, b) => a + b)).toBe(dataset.length);
    expect(batches.report()).toMatchObject([{ videos: dataset.length, replaced, bad: bad.length }]);
  }, 300_000);
});
