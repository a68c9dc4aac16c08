import { describe, expect, it } from "vitest";
import { findDecoder } from "#lib/data/find-decoder.js";
import { frameTimes } from "#lib/data/frame-times.js";
import { sampleFrames } from "#lib/data/sampling.js";
import { centreFramesByTime, sampleFramesByTime } from "#lib/data/time-sampling.js";
import { RandomStream } from "#lib/random.js";
import { haveShared } from "../fixtures.js";
import { locate } from "./manifest.js";

/** A stream that draws this number. */
function fixed(value: number) {
  const stream = new RandomStream(0, "test");
  stream.uniform = () => value;
  return stream;
}

const even = (count: number, rate: number) => Float64Array.from({ length: count }, (_, i) => i / rate);

describe("sampleFramesByTime", () => {
  it("is index sampling where the rate is constant and the offset a frame's", () => {
    for (const [count, fps] of [
      [300, 30],
      [120, 29.97],
      [65, 25],
    ]) {
      const rate = fps / 4;
      const room = (count - 64) / fps;
      for (const offset of [0, 1, count - 64]) {
        const draw = room > 0 ? offset / fps / room : 0;
        const byTime = sampleFramesByTime(even(count, fps), { frames: 16, rate }, fixed(draw));
        expect(byTime).toEqual(Array.from({ length: 16 }, (_, i) => offset + 4 * i));
      }
    }
  });

  it("takes what is on the screen at equal steps of time", () => {
    // 10 frames a second for a second, then 2 a second for two.
    const times = Float64Array.of(...even(10, 10), 1, 1.5, 2, 2.5);
    expect(sampleFramesByTime(times, { frames: 6, rate: 2 }, fixed(0))).toEqual([0, 5, 10, 11, 12, 13]);
    expect(sampleFramesByTime(times, { frames: 4, rate: 10 }, fixed(0))).toEqual([0, 1, 2, 3]);
    expect(sampleFramesByTime(times, { frames: 4, rate: 10 }, fixed(0.9999))).toEqual([12, 12, 12, 13]);
  });

  it("repeats the last frame of a short video, and the frames of a slow one", () => {
    expect(sampleFramesByTime(even(5, 10), { frames: 8, rate: 10 }, fixed(0.7))).toEqual([0, 1, 2, 3, 4, 4, 4, 4]);
    expect(sampleFramesByTime(even(4, 1), { frames: 6, rate: 2 }, fixed(0))).toEqual([0, 0, 1, 1, 2, 2]);
    expect(sampleFramesByTime(even(1, 1), { frames: 3, rate: 2 }, fixed(0.5))).toEqual([0, 0, 0]);
  });

  it("stays inside, ascends, and reaches both ends", () => {
    const seen = new Set<number>();
    for (let seed = 0; seed < 300; seed++) {
      const frames = sampleFramesByTime(even(90, 30), { frames: 16, rate: 7.5 }, new RandomStream(seed, "test"));
      expect(frames.every((frame, i) => frame >= 0 && frame < 90 && (i === 0 || frame >= frames[i - 1]))).toBe(true);
      for (const frame of frames) seen.add(frame);
    }
    expect(seen.has(0) && seen.has(85)).toBe(true);
  });

  it("takes the middle for evaluation", () => {
    expect(centreFramesByTime(even(100, 25), { frames: 4, rate: 2.5 })).toEqual([30, 40, 50, 60]);
  });

  it("rejects no frames and no rate", () => {
    expect(() => centreFramesByTime(new Float64Array(0), { frames: 4, rate: 1 })).toThrow(/at least one frame/);
    expect(() => centreFramesByTime(even(3, 1), { frames: 4, rate: 0 })).toThrow(/rate 0/);
  });

  it.skipIf(!haveShared)("goes evenly through a video of variable rate", async () => {
    const file = await (await findDecoder("node-av")).open(locate("odd/vfr.mp4"));
    const byTime = sampleFramesByTime(file.times!, { frames: 15, rate: 5 }, fixed(0));
    const byIndex = sampleFrames(file.frameCount, { frames: 15, stride: 4 }, new RandomStream(0, "test"));
    const gaps = (frames: number[]) => frames.slice(1).map((frame, i) => file.times![frame] - file.times![frames[i]]);
    for (const gap of gaps(byTime)) expect(Math.abs(gap - 0.2)).toBeLessThan(0.1);
    expect(Math.max(...gaps(byIndex))).toBeGreaterThan(0.35);
    file.close();
  });
});

describe("frameTimes", () => {
  it("counts from the first frame", () => {
    expect([...frameTimes([500, 540, 620], 0.001, 25)]).toEqual([0, 0.04, 0.12]);
    expect([...frameTimes([], 0.001, 25)]).toEqual([]);
  });

  it.each([
    ["missing", [0, undefined, 2]],
    ["doubled", [0, 1, 1]],
    ["descending", [0, 2, 1]],
  ])("falls back to the stated rate where times are %s", (_, stamps) => {
    expect([...frameTimes(stamps, 1, 4)]).toEqual([0, 0.25, 0.5]);
    expect([...frameTimes(stamps, 1, Number.NaN)]).toEqual([0, 0.04, 0.08]);
  });
});
