// Frames and crops of validation and multi-view tests against the reference.
import { describe, expect, it, test } from "vitest";
import { centreSquare, shortSideSize, spreadSquares } from "#lib/data/view-crops.js";
import { testFrames, validationFrames, windowStarts } from "#lib/data/view-sampling.js";
import { haveShared, loadFixture } from "../fixtures.js";

interface Case {
  length: number;
  height: number;
  width: number;
  clip_len: number;
  rate: number;
  num_segment: number;
  segments: number;
  crops: number;
  start_idx: number;
  frames: number[];
  views: { segment: number; crop: number; clip_frames: number[]; y0: number; x0: number; shape: number[] }[];
}

describe.skipIf(!haveShared)("against the reference", () => {
  const cases = (haveShared ? loadFixture("sampling").json : {}) as Record<string, Case[]>;
  const dense = ({ clip_len, rate }: Case) => ({ frames: clip_len, stride: rate, sampling: "dense" }) as const;
  const sparse = ({ num_segment }: Case) => ({ frames: num_segment, stride: 1, sampling: "sparse" }) as const;

  test("frames of validation", () => {
    expect(cases.validation_dense.length).toBeGreaterThan(0);
    for (const c of cases.validation_dense) expect(validationFrames(c.length, dense(c))).toEqual(c.frames);
    for (const c of cases.validation_sparse) expect(validationFrames(c.length, sparse(c))).toEqual(c.frames);
    for (const c of cases.validation_raw) {
      const numbers = validationFrames(c.length, sparse(c), "frames").map((frame) => frame + c.start_idx);
      expect(numbers).toEqual(c.frames);
    }
  });

  test.each(["test_dense", "test_sparse"])("frames and crops of %s", (name) => {
    expect(cases[name].length).toBeGreaterThan(0);
    for (const c of cases[name]) {
      const clips = testFrames(c.length, name === "test_dense" ? dense(c) : sparse(c), c.segments);
      const crops = spreadSquares(c, c.crops);
      for (const view of c.views) {
        expect(clips[view.segment]).toEqual(view.clip_frames);
        expect(crops[view.crop]).toMatchObject({ x: view.x0, y: view.y0, width: view.shape[2], height: view.shape[1] });
      }
    }
  });

  test("frames of a sparse test of pictures", () => {
    for (const c of cases.test_raw_sparse) {
      const numbers = testFrames(c.length, sparse(c), c.segments)
        .flat()
        .map((frame) => frame + c.start_idx)
        .sort((a, b) => a - b);
      expect(numbers).toEqual(c.frames);
    }
  });
});

describe("single views and short videos", () => {
  const view = { frames: 16, stride: 4, sampling: "dense" } as const;

  it("one clip of a test is the middle one, one crop too", () => {
    const [clip] = testFrames(200, view, 1);
    expect([clip[0], clip[15]]).toEqual([68, 128]);
    expect(spreadSquares({ width: 300, height: 224 }, 1)).toEqual([{ x: 38, y: 0, width: 224, height: 224 }]);
  });

  it.each([1, 2, 3, 5, 15, 16, 17, 63, 64, 65])("every frame of a video of %i frames exists", (frameCount) => {
    for (const sampling of ["dense", "sparse"] as const) {
      const clips = [
        validationFrames(frameCount, { ...view, sampling }),
        validationFrames(frameCount, { ...view, sampling }, "frames"),
        ...testFrames(frameCount, { ...view, sampling }, 3),
      ];
      for (const clip of clips) {
        expect(clip).toHaveLength(16);
        expect(Math.min(...clip)).toBeGreaterThanOrEqual(0);
        expect(Math.max(...clip)).toBeLessThan(frameCount);
      }
    }
  });

  it("windows begin while they fit", () => {
    expect(windowStarts(16, 16, 4)).toEqual([0]);
    expect(windowStarts(27, 16, 4)).toEqual([0, 4, 8]);
    expect(windowStarts(28, 16, 4)).toEqual([0, 4, 8, 12]);
    expect(() => windowStarts(15, 16, 4)).toThrow(/at least 16 frames; got 15/);
    expect(() => windowStarts(20, 16, 0)).toThrow(/step to be an integer/);
  });

  it("the shorter side is resized, the other truncated; halves round to even", () => {
    expect(shortSideSize({ width: 340, height: 256 }, 224)).toEqual({ width: 297, height: 224 });
    expect(shortSideSize({ width: 256, height: 340 }, 224)).toEqual({ width: 224, height: 297 });
    expect(centreSquare({ width: 297, height: 224 }, 224)).toMatchObject({ x: 36, y: 0 });
    expect(centreSquare({ width: 299, height: 224 }, 224)).toMatchObject({ x: 38, y: 0 });
    expect(() => centreSquare({ width: 200, height: 224 }, 224)).toThrow(/at least 224 x 224 pixels; got 200 x 224/);
    expect(() => spreadSquares({ width: 9, height: 9 }, 0)).toThrow(/number of crops/);
  });
});
