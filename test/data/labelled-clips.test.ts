// Clips of labelled videos: which frames, the crop, erasing, and batches of them.
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readLabelledSources } from "#lib/data/labelled-sources.js";
import { checkLabelledView, type LabelledView, middleOfFrames } from "#lib/data/labelled-view.js";
import { loader, VideoDataset } from "#lib/data/loader.js";
import { parseRandAugment } from "#lib/data/rand-augment.js";
import { eraseRandomly } from "#lib/data/random-erasing.js";
import { randomResizedCrop } from "#lib/data/random-resized-crop.js";
import { trainingFrames, validationFrames } from "#lib/data/view-sampling.js";
import { interpolate } from "#lib/ops/index.js";
import { RandomStream } from "#lib/random.js";
import { scope } from "#lib/tensor/scope.js";
import { Tensor } from "#lib/tensor/tensor.js";
import { haveShared, sharedFolder } from "../fixtures.js";

const stream = (i = 0) => new RandomStream(5, "test", [i]);

describe("trainingFrames", () => {
  const dense = { frames: 16, stride: 4, sampling: "dense" } as const;
  const sparse = { ...dense, sampling: "sparse" } as const;

  it("takes a window at a random end, spread over it as in validation", () => {
    const published = [10, 14, 18, 22, 27, 31, 35, 39, 44, 48, 52, 56, 61, 65, 69, 73];
    const starts = new Set<number>();
    for (let i = 0; i < 2000; i++) {
      const frames = trainingFrames(100, dense, stream(i));
      expect(frames.map((frame) => frame - frames[0] + 10)).toEqual(published);
      starts.add(frames[0]);
    }
    expect([...starts].sort((a, b) => a - b)).toEqual(Array.from({ length: 36 }, (_, i) => i)); // 64 to 99, less 64
  });

  it("is validation's for a video that is no longer than the window", () => {
    expect(trainingFrames(40, dense, stream())).toEqual(validationFrames(40, dense));
    expect(trainingFrames(64, dense, stream())).toEqual(validationFrames(64, dense));
  });

  it("draws a frame of every segment, of videos never the last one of a segment", () => {
    for (let i = 0; i < 500; i++) {
      for (const [t, frame] of trainingFrames(80, sparse, stream(i)).entries()) {
        expect(frame - 5 * t).toBeGreaterThanOrEqual(0);
        expect(frame - 5 * t).toBeLessThan(4);
      }
      for (const [t, frame] of trainingFrames(80, sparse, stream(i), "frames").entries()) {
        expect(frame - 5 * t).toBeGreaterThanOrEqual(0);
        expect(frame - 5 * t).toBeLessThan(5);
      }
    }
    expect(new Set(trainingFrames(320, sparse, stream()).map((frame, t) => frame - 20 * t)).size).toBeGreaterThan(5);
  });
});

describe("randomResizedCrop", () => {
  it("draws areas and aspects within their ranges, everywhere in the frame", () => {
    let [least, greatest, left, right] = [1, 0, 1e9, 0];
    for (let i = 0; i < 3000; i++) {
      const box = randomResizedCrop(340, 256, stream(i));
      const area = (box.width * box.height) / (340 * 256);
      [least, greatest] = [Math.min(least, area), Math.max(greatest, area)];
      [left, right] = [Math.min(left, box.x), Math.max(right, box.x + box.width)];
      expect(box.width / box.height).toBeGreaterThan(0.7);
      expect(box.width / box.height).toBeLessThan(1.4);
      expect(box.y >= 0 && box.y + box.height <= 256).toBe(true);
    }
    expect(least).toBeLessThan(0.1);
    expect(greatest).toBeGreaterThan(0.9);
    expect([left, right]).toEqual([0, 340]);
  });

  it("falls back on the middle of a frame that no box fits", () => {
    const box = randomResizedCrop(400, 20, stream(), { area: [1, 1] });
    expect(box).toEqual({ x: 186, y: 0, width: 27, height: 20 });
    expect(randomResizedCrop(1, 1, stream())).toEqual({ x: 0, y: 0, width: 1, height: 1 });
  });

  it("refuses empty ranges", () => {
    expect(() => randomResizedCrop(9, 9, stream(), { area: [0.5, 0.2] })).toThrow(/an area range within \(0, 1\]/);
    expect(() => randomResizedCrop(9, 9, stream(), { aspect: [0, 1] })).toThrow(/an aspect range above 0/);
  });
});

describe("interpolate", () => {
  it("flips, and normalises by the ImageNet statistics", () => {
    scope(() => {
      const random = stream();
      const frames = Tensor.fromArray(
        Uint8Array.from({ length: 2 * 9 * 12 * 3 }, () => random.integer(256)),
        [2, 9, 12, 3],
      );
      const box = { x: 1, y: 2, width: 7, height: 5 };
      const plain = interpolate(frames, box, 6).readSync();
      const flipped = interpolate(frames, box, 6, { flip: true }).readSync();
      const normal = interpolate(frames, box, 6, { normalize: true }).readSync();
      const [mean, std] = [
        [0.485, 0.456, 0.406],
        [0.229, 0.224, 0.225],
      ]; // prettier-ignore
      for (const [i, value] of plain.entries()) {
        const [row, column, channel] = [Math.floor(i / 6), i % 6, Math.floor(i / 72)];
        expect(flipped[row * 6 + 5 - column]).toBe(value);
        expect(normal[i]).toBeCloseTo((value - mean[channel]) / std[channel], 5);
      }
    });
  });
});

describe("eraseRandomly", () => {
  const [frames, size] = [3, 24];
  const erased = (fill: "pixel" | "frame" | "constant", i: number) => {
    const clip = new Float32Array(3 * frames * size * size).fill(7);
    eraseRandomly(clip, { frames, size }, { probability: 1, fill }, stream(i));
    return clip;
  };

  it("fills the same box of every frame, with what is asked for", () => {
    for (const fill of ["pixel", "frame", "constant"] as const) {
      const clip = erased(fill, 1);
      const picture = size * size;
      const changed = (p: number) =>
        [...clip.subarray(p * picture, (p + 1) * picture)].flatMap((value, i) => (value === 7 ? [] : [i]));
      const box = changed(0);
      expect(box.length).toBeGreaterThan(0);
      for (let p = 1; p < 3 * frames; p++) expect(changed(p)).toEqual(box);
      const values = (p: number) => new Set(box.map((i) => clip[p * picture + i]));
      if (fill === "pixel") expect(values(0).size).toBeGreaterThan(box.length / 2);
      else expect(values(0).size).toBe(1);
      expect([...values(0)][0] === [...values(1)][0]).toBe(fill === "constant");
    }
  });

  it("erases as often as asked, boxes of 2 to 33 % of the frame", () => {
    let count = 0;
    for (let i = 0; i < 400; i++) {
      const clip = new Float32Array(3 * size * size).fill(7);
      eraseRandomly(clip, { frames: 1, size }, { probability: 0.25 }, stream(i));
      const area = clip.subarray(0, size * size).filter((value) => value !== 7).length / (size * size);
      if (area === 0) continue;
      count++;
      expect(area).toBeGreaterThan(0.01);
      expect(area).toBeLessThan(0.37);
    }
    expect(count / 400).toBeGreaterThan(0.17);
    expect(count / 400).toBeLessThan(0.33);
  });
});

describe("a labelled view", () => {
  it("is refused with probabilities out of bounds or a short side below the size", () => {
    expect(() => checkLabelledView({ sampling: "dense", augment: { flip: 2 } }, 8)).toThrow(/flip from 0 to 1; got 2/);
    const erase = { probability: -1 };
    expect(() => checkLabelledView({ sampling: "dense", augment: { flip: 0, erase } }, 8)).toThrow(
      /erase\.probability from 0 to 1/,
    );
    expect(() => checkLabelledView({ sampling: "dense", shortSide: 7 }, 8)).toThrow(
      /shortSide .* at least the size, 8/,
    );
    const clip = { frames: 4, stride: 1, size: 8, rate: 5, labelled: { sampling: "dense" } as const };
    const source = { kind: "video", path: "/a.mp4", where: "a" } as const;
    expect(() => new VideoDataset([source], clip)).toThrow(/got both labelled and rate/);
  });

  it("in evaluation is the middle of the resized frame", () => {
    scope(() => {
      const frames = Tensor.zeros([2, 20, 30, 3], "u8");
      expect(middleOfFrames(frames, 16).shape).toEqual([2, 16, 16, 3]);
      expect(middleOfFrames(frames, 16, 18).shape).toEqual([2, 16, 16, 3]);
    });
  });
});

describe.skipIf(!haveShared)("batches of labelled clips", () => {
  const list = join(sharedFolder, "data/lists/motion_val.csv");
  const { sources } = haveShared ? readLabelledSources(list, { root: join(sharedFolder, "data") }) : { sources: [] };
  const augment = {
    randAugment: parseRandAugment("rand-m7-n4-mstd0.5-inc1"),
    flip: 0.5,
    erase: { probability: 0.5 },
  };
  const dataset = (labelled: LabelledView, views = 1) =>
    new VideoDataset(sources.slice(0, 6), { frames: 16, stride: 2, size: 32, views, labelled });

  async function read(workers: number, startStep = 0) {
    const options = { batchSize: 2, workers, seed: 9, startStep, steps: 3 - startStep };
    const batches: { pixels: Float32Array | Uint8Array; labels: readonly (number | undefined)[] }[] = [];
    for await (using batch of loader(dataset({ sampling: "dense", augment }, 2), options)) {
      expect(batch.shape).toEqual([4, 3, 16, 32, 32]);
      expect(batch.video.toString()).toBe("f32[4, 3, 16, 32, 32]");
      batches.push({ pixels: batch.frames.slice(), labels: batch.labels });
    }
    return batches;
  }

  it("are the same with any number of workers and from any step, and differ from view to view", async () => {
    const [alone, two, later] = [await read(0), await read(2), await read(1, 1)];
    expect(two).toEqual(alone);
    expect(later).toEqual(alone.slice(1));
    const [first] = alone;
    const clip = first.pixels.length / 4;
    expect(first.labels[0]).toBe(first.labels[1]);
    expect(first.pixels.subarray(0, clip)).not.toEqual(first.pixels.subarray(clip, 2 * clip));
    expect(alone.every(({ pixels }) => pixels.every((value) => Math.abs(value) < 8))).toBe(true);
  });

  it("in evaluation are bytes, every video once", async () => {
    const seen: (number | undefined)[] = [];
    const options = { batchSize: 4, workers: 0, evaluation: true };
    for await (using batch of loader(dataset({ sampling: "dense", augment, shortSide: 36 }), options)) {
      expect(batch.video.dtype).toBe("u8");
      expect(batch.shape.slice(1)).toEqual([16, 32, 32, 3]);
      seen.push(...batch.labels);
    }
    expect(seen).toEqual(sources.slice(0, 6).map(({ label }) => label));
  });
});
