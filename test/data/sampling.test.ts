import { describe, expect, it } from "vitest";
import { centreFrames, sampleFrames } from "#lib/data/sampling.js";
import { RandomStream } from "#lib/random.js";
import { haveShared, loadFixture } from "../fixtures.js";

/** A stream whose first draw is `value`; remembers what it was asked for. */
function fixedStream(value: number) {
  const stream = new RandomStream(0, "test");
  const asked: number[] = [];
  stream.integer = (n) => {
    asked.push(n);
    return value;
  };
  return { stream, asked };
}

describe.skipIf(!haveShared)("the reference's frame lists", () => {
  const { json } = haveShared ? loadFixture("sampling") : { json: { pretrain_frames: [], pretrain_offsets: [] } };

  it("has the same frames at every offset", () => {
    expect(json.pretrain_frames.length).toBeGreaterThan(10);
    for (const { length, new_length, new_step, offset, frames } of json.pretrain_frames) {
      const { stream } = fixedStream(offset);
      expect(sampleFrames(length, { frames: new_length, stride: new_step }, stream)).toEqual(frames);
    }
  });

  it("draws offsets from the same range", () => {
    for (const { length, new_length, new_step, offset_range_inclusive } of json.pretrain_offsets) {
      const { stream, asked } = fixedStream(0);
      sampleFrames(length, { frames: new_length, stride: new_step }, stream);
      expect((asked[0] ?? 1) - 1).toBe(offset_range_inclusive[1]);
    }
  });
});

describe("sampleFrames", () => {
  it("stays inside every video", () => {
    for (let count = 1; count < 200; count++) {
      for (const stride of [1, 2, 4, 7]) {
        const frames = sampleFrames(count, { frames: 16, stride }, new RandomStream(count, "test"));
        expect(frames).toHaveLength(16);
        expect(frames.every((frame, i) => frame >= 0 && frame < count && (i === 0 || frame >= frames[i - 1]))).toBe(
          true,
        );
      }
    }
  });

  it("takes the middle for evaluation", () => {
    expect(centreFrames(100)[0]).toBe(18);
    expect(centreFrames(65)[0]).toBe(0);
    expect(centreFrames(66)[0]).toBe(1);
    expect(centreFrames(1)).toEqual(new Array(16).fill(0));
  });

  it("rejects an empty video and bad options", () => {
    expect(() => centreFrames(0)).toThrow(/frameCount to be an integer of at least 1; got 0/);
    expect(() => centreFrames(10, { stride: 1.5 })).toThrow(/stride/);
  });
});
