import { describe, expect, it } from "vitest";
import { maskFrames, type PatchGrid, paintTokens, patchStatistics, visibleStatistics } from "#lib/eval/denormalize.js";
import { RandomStream } from "#lib/random.js";

const grid: PatchGrid = { t: 2, h: 2, w: 3, patch: 4, tubelet: 2 };
const [T, H, W] = [4, 8, 12];
const N = 12;
const all = Array.from({ length: N }, (_, n) => n);

function clip(): Uint8Array {
  const random = new RandomStream(3, "test.clip");
  return Uint8Array.from({ length: T * H * W * 3 }, () => random.integer(256));
}

/** (N, 96) normalised targets, straight from the definition (spec 3.2, 3.3), one loop an axis. */
function targets(frames: Uint8Array): Float32Array {
  const rows: number[] = [];
  for (let it = 0; it < 2; it++)
    for (let iy = 0; iy < 2; iy++)
      for (let ix = 0; ix < 3; ix++) {
        const patch: number[] = [];
        for (let dt = 0; dt < 2; dt++)
          for (let dy = 0; dy < 4; dy++)
            for (let dx = 0; dx < 4; dx++)
              for (let c = 0; c < 3; c++) {
                patch.push(frames[(((it * 2 + dt) * H + iy * 4 + dy) * W + ix * 4 + dx) * 3 + c] / 255);
              }
        for (let k = 0; k < 96; k++) {
          const channel = patch.filter((_, j) => j % 3 === k % 3);
          const mean = channel.reduce((a, b) => a + b) / 32;
          const variance = channel.reduce((a, b) => a + (b - mean) ** 2, 0) / 31;
          rows.push((patch[k] - mean) / (Math.sqrt(variance) + 1e-6));
        }
      }
  return Float32Array.from(rows);
}

describe("paintTokens", () => {
  it("reproduces the frames from true targets and own statistics", () => {
    const frames = clip();
    const painted = paintTokens(
      new Uint8Array(frames.length),
      grid,
      all,
      targets(frames),
      patchStatistics(frames, grid),
    );
    for (let i = 0; i < frames.length; i++) expect(Math.abs(painted[i] - frames[i])).toBeLessThanOrEqual(1);
  });

  it("reproduces a patch of one colour, whose variance is zero", () => {
    const frames = new Uint8Array(T * H * W * 3).fill(77);
    const painted = paintTokens(frames, grid, all, targets(frames), patchStatistics(frames, grid));
    expect(painted).toEqual(frames);
  });

  it("touches only the given token, and not its argument", () => {
    const frames = clip();
    const before = frames.slice();
    const painted = paintTokens(frames, grid, [7], new Float32Array(96).fill(2), undefined);
    expect(frames).toEqual(before);
    for (let i = 0; i < frames.length; i++) {
      const x = Math.floor(i / 3) % W;
      const y = Math.floor(i / 3 / W) % H;
      const t = Math.floor(i / 3 / W / H);
      const inside = t >= 2 && y < 4 && x >= 4 && x < 8; // token 7 = (1, 0, 1)
      expect(painted[i]).toBe(inside ? 255 : frames[i]);
    }
  });

  it("rejects patches, frames and tokens that do not fit", () => {
    const frames = clip();
    expect(() => paintTokens(frames, grid, [1], new Float32Array(95), undefined)).toThrow("[1, 96]");
    expect(() => paintTokens(frames.subarray(3), grid, [], [], undefined)).toThrow("uint8[4, 8, 12, 3]");
    expect(() => paintTokens(frames, grid, [12], new Float32Array(96), undefined)).toThrow("[0, 12)");
  });
});

describe("visibleStatistics", () => {
  it("weights by inverse squared distance within the slice, and reads nothing hidden", () => {
    const frames = new Uint8Array(T * H * W * 3).fill(255);
    // Slice 0: token 0 (corner) is 40, token 5 (the other corner) 80; slice 1: token 6 is 120.
    const levels = new Map([
      [0, 40],
      [5, 80],
      [6, 120],
    ]);
    let painted: Uint8Array = frames;
    for (const [n, v] of levels)
      painted = paintTokens(painted, grid, [n], new Float32Array(96).fill(v / 255), undefined);
    const { mean, scale } = visibleStatistics(painted, grid, [0, 5, 6]);
    // Token 1 = (0, 1): squared distance 1 to token 0, 1 + 1 to token 5 = (1, 2).
    expect(mean[1 * 3] * 255).toBeCloseTo((40 + 80 / 2) / 1.5, 3);
    expect(mean[0] * 255).toBeCloseTo(40, 3);
    expect(mean[11 * 3 + 2] * 255).toBeCloseTo(120, 3);
    expect(scale[1 * 3]).toBeCloseTo(1e-6, 9);
  });

  it("takes the nearest slice for one that is hidden as a whole", () => {
    const frames = new Uint8Array(T * H * W * 3);
    frames.fill(60, 0, frames.length / 2);
    const { mean } = visibleStatistics(frames, grid, [4]);
    expect(mean[11 * 3] * 255).toBeCloseTo(60, 3);
    expect(() => visibleStatistics(frames, grid, [])).toThrow("at least one visible token");
  });
});

describe("maskFrames", () => {
  it("keeps visible patches and greys the others", () => {
    const frames = Buffer.from(clip());
    const before = Uint8Array.from(frames);
    const masked = maskFrames(frames, grid, [0, 6]);
    expect(Uint8Array.from(frames)).toEqual(before);
    for (let i = 0; i < frames.length; i++) {
      const x = Math.floor(i / 3) % W;
      const y = Math.floor(i / 3 / W) % H;
      if (x < 4 && y < 4) expect(masked[i]).toBe(frames[i]);
      else expect([110, 124]).toContain(masked[i]);
    }
  });
});
