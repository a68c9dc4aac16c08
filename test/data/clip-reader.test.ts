// Clips of single videos: by time, in their displayed shape, and what ends a request.

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ClipReader } from "#lib/data/clip-reader.js";
import type { ClipRequest } from "#lib/data/clip-request.js";
import { cropAsDisplayed } from "#lib/data/display-crop.js";
import { centreCrop } from "#lib/data/multi-scale-crop.js";
import { WorkSignal } from "#lib/data/work-signal.js";
import { haveShared } from "../fixtures.js";
import { temporaryFolder } from "../temporary-folder.js";
import { dataFolder, haveFfmpeg, locate } from "./manifest.js";

const SIZE = 32;

async function clipOf(
  source: ClipRequest["source"],
  change: Partial<ClipRequest["clip"]> & { evaluation?: boolean; place?: number } = {},
  limits?: ConstructorParameters<typeof ClipReader>[1],
) {
  const { evaluation = false, place = 0, ...shape } = change;
  const clip = { frames: 4, stride: 2, size: SIZE, views: 1, ...shape };
  const memory = new SharedArrayBuffer(clip.frames * SIZE * SIZE * 3);
  const reader = new ClipReader("node-av", limits);
  const request = { source, clip, seed: 1, epoch: 0, place, attempt: 0, evaluation, memory, offset: 0 };
  const outcome = await reader.make(request);
  await reader.close();
  return { outcome, pixels: Buffer.from(new Uint8Array(memory).slice()) };
}

const video = (path: string) => ({ kind: "video", path, where: path }) as const;

describe.skipIf(!haveShared)("a clip", () => {
  it("by time differs from one by index where the rate varies, and is the same each time", async () => {
    const source = video(locate("odd/vfr.mp4"));
    const [one, again, byIndex] = [
      await clipOf(source, { frames: 15, rate: 6 }),
      await clipOf(source, { frames: 15, rate: 6 }),
      await clipOf(source, { frames: 15, stride: 4 }),
    ];
    expect(one.outcome).toEqual({ made: true });
    expect(one.pixels.equals(again.pixels)).toBe(true);
    expect(one.pixels.equals(byIndex.pixels)).toBe(false);
  });

  it("by time is that by index where the rate is constant, in evaluation", async () => {
    const source = video(locate("mmaction2/demo.mp4")); // 28 frames a second
    const byTime = await clipOf(source, { rate: 7, evaluation: true });
    const byIndex = await clipOf(source, { stride: 4, evaluation: true });
    expect(byTime.pixels.equals(byIndex.pixels)).toBe(true);
  });

  it("of pictures has no times", async () => {
    const folder = join(dataFolder, "rawframes/nasa_13013");
    const source = { kind: "frames", folder, start: 1, total: 20, template: "img_{:05}.jpg", where: "l:1" } as const;
    const { outcome } = await clipOf(source, { rate: 5 });
    expect(outcome).toMatchObject({ made: false, reason: expect.stringMatching(/to sample by time; got a folder/) });
    expect((await clipOf(source)).outcome).toEqual({ made: true });
  });

  it("is given up when its time is over or a signal says to stop", async () => {
    const source = video(locate("mmaction2/demo.mp4"));
    const late = await clipOf(source, {}, { seconds: 0 });
    expect(late.outcome).toMatchObject({ made: false, reason: expect.stringMatching(/within 0 s/) });
    const signal = new WorkSignal();
    signal.stop();
    const stopped = await clipOf(source, {}, { signal });
    expect(stopped.outcome).toMatchObject({ made: false, reason: expect.stringMatching(/a signal to stop/) });
  });
});

describe("pixels that are not square", () => {
  it("are cropped in the shape they are shown in", () => {
    // 160 x 90 pixels twice as wide as high are 320 x 90: the middle square is 90 x 90 of it, 45 stored columns.
    expect(cropAsDisplayed(160, 90, 2, centreCrop)).toEqual({ x: 58, y: 0, width: 45, height: 90 });
    expect(cropAsDisplayed(160, 90, 1, centreCrop)).toEqual(centreCrop(160, 90));
    expect(cropAsDisplayed(160, 90, 0.5, centreCrop)).toEqual({ x: 0, y: 5, width: 160, height: 80 });
  });

  it("give boxes inside the frame for any shape", () => {
    for (const aspect of [1e-6, 0.1, 0.9, 1.1, 7, 1e6]) {
      for (const [width, height] of [
        [1, 1],
        [7, 3],
        [320, 240],
      ]) {
        const box = cropAsDisplayed(width, height, aspect, centreCrop);
        expect(box.x >= 0 && box.width >= 1 && box.x + box.width <= width).toBe(true);
        expect(box.y >= 0 && box.height >= 1 && box.y + box.height <= height).toBe(true);
      }
    }
  });

  it.skipIf(!haveShared)("are as stored unless asked for, in a clip", async () => {
    const source = video(locate("odd/sar_2x1.mp4"));
    const plain = await clipOf(source, { evaluation: true });
    const stored = await clipOf(source, { evaluation: true, pixelAspect: "stored" });
    const shown = await clipOf(source, { evaluation: true, pixelAspect: "display" });
    expect(plain.pixels.equals(stored.pixels)).toBe(true);
    expect(plain.pixels.equals(shown.pixels)).toBe(false);
  });

  it.skipIf(!haveFfmpeg)("show a circle as one", async () => {
    // A disc that is 60 x 60 when displayed, drawn 30 wide in pixels of 2:1.
    const disc = "color=black:size=64x96:d=0.5,format=gray,geq=lum='255*lt(hypot((X-31.5)*2,Y-47.5),30)'";
    const path = join(temporaryFolder(), "disc.mkv");
    const made = spawnSync("ffmpeg", [
      "-v",
      "error",
      "-f",
      "lavfi",
      "-i",
      disc,
      "-vf",
      "setsar=2/1",
      "-c:v",
      "ffv1",
      path,
    ]);
    expect(`${made.stderr}`).toBe("");
    const extent = async (pixelAspect: "stored" | "display") => {
      const { pixels } = await clipOf(video(path), { frames: 1, evaluation: true, pixelAspect });
      const lit = Array.from({ length: SIZE * SIZE }, (_, i) => pixels[3 * i] > 127);
      const rows = Array.from({ length: SIZE }, (_, y) => lit.slice(y * SIZE, (y + 1) * SIZE).some(Boolean));
      const columns = Array.from({ length: SIZE }, (_, x) => lit.some((on, i) => on && i % SIZE === x));
      return [columns.filter(Boolean).length, rows.filter(Boolean).length];
    };
    const [shownWidth, shownHeight] = await extent("display");
    expect(Math.abs(shownWidth - shownHeight)).toBeLessThanOrEqual(1);
    const [storedWidth, storedHeight] = await extent("stored");
    expect(storedHeight / storedWidth).toBeGreaterThan(1.7);
  });
});
