// Resizing without antialiasing against OpenCV and PyTorch.
import { describe, expect, it, test } from "vitest";
import { centreSquare, shortSideSize } from "#lib/data/view-crops.js";
import { interpolate, resizeLinear } from "#lib/ops/resize.js";
import { scope } from "#lib/tensor/scope.js";
import { Tensor } from "#lib/tensor/tensor.js";
import { largestDifference } from "../compare.js";
import { haveShared, loadFixture } from "../fixtures.js";

const whole = (width: number, height: number) => ({ x: 0, y: 0, width, height });

describe.skipIf(!haveShared)("against the reference", () => {
  const { json, tensors } = haveShared ? loadFixture("preprocess") : { json: {}, tensors: new Map() };
  const clip = () => Tensor.fromArray(tensors.get("clip")!.data as Uint8Array, json.clip);
  const [, height, width] = haveShared ? json.clip : [0, 0, 0];

  test.each([24, 30, 48])("OpenCV's linear resize, shorter side %i", (side) => {
    scope(() => {
      const to = shortSideSize({ width, height }, side);
      expect([to.height, to.width]).toEqual(json.cv2_resize[side]);
      const got = resizeLinear(clip(), to, whole(to.width, to.height)).readSync();
      const want = tensors.get(`cv2_resize.${side}`)!.data as Uint8Array;
      expect(largestDifference(got, want)).toBeLessThanOrEqual(1);
      const equal = got.filter((value, i) => value === want[i]).length / want.length;
      expect(equal).toBeGreaterThanOrEqual(side > height ? 0.99 : 1);
    });
  });

  test("a crop of the resized frames is the resized frames' crop", () => {
    scope(() => {
      const to = { width: 33, height: 24 };
      const all = resizeLinear(clip(), to, whole(33, 24)).readSync();
      const crop = resizeLinear(clip(), to, { x: 5, y: 3, width: 7, height: 9 }).readSync();
      for (let t = 0; t < 3; t++)
        for (let y = 0; y < 9; y++)
          for (let i = 0; i < 21; i++)
            expect(crop[(t * 9 + y) * 21 + i]).toBe(all[((t * 24 + y + 3) * 33 + 5) * 3 + i]);
    });
  });

  test("the validation pipeline", () => {
    scope(() => {
      const { short_side, crop } = json.validation;
      const to = shortSideSize({ width, height }, short_side);
      const got = resizeLinear(clip(), to, centreSquare(to, crop)).readSync();
      const want = tensors.get("validation")!.data as Float32Array; // (3, T, S, S), normalised
      const plane = 3 * crop * crop;
      const normalised = Float64Array.from(want, (_, i) => {
        const c = Math.floor(i / plane);
        return (got[(i % plane) * 3 + c] / 255 - json.mean[c]) / json.std[c];
      });
      expect(largestDifference(normalised, want)).toBeLessThanOrEqual(1e-5);
    });
  });

  test("bilinear interpolation of frames stretched to a square", () => {
    scope(() => {
      const got = interpolate(clip(), whole(width, height), json.crop);
      expect(got.shape).toEqual([3, 3, json.crop, json.crop]);
      expect(largestDifference(got.readSync(), tensors.get("tad_resize")!.data as Float32Array)).toBeLessThanOrEqual(
        1e-5,
      );
    });
  });
});

describe("without a reference", () => {
  it("leaves frames of the wanted size as they are", () => {
    scope(() => {
      const bytes = Uint8Array.from({ length: 2 * 5 * 7 * 3 }, (_, i) => (i * 89) % 256);
      const frames = Tensor.fromArray(bytes, [2, 5, 7, 3]);
      expect(resizeLinear(frames, { width: 7, height: 5 }, whole(7, 5)).readSync()).toEqual(bytes);
    });
  });

  it("says what is wrong with frames, sizes and boxes", () => {
    scope(() => {
      const frames = Tensor.fromArray(new Uint8Array(2 * 5 * 7 * 3), [2, 5, 7, 3]);
      expect(() => resizeLinear(frames, { width: 0, height: 5 }, whole(1, 1))).toThrow(
        /sides from 1 to 32768; got 0 x 5/,
      );
      expect(() => resizeLinear(frames, { width: 8, height: 6 }, whole(9, 6))).toThrow(
        /inside pictures of 8 x 6; got 9 x 6/,
      );
      expect(() => interpolate(frames, { x: 1, y: 0, width: 7, height: 5 }, 4)).toThrow(/inside pictures of 7 x 5/);
      expect(() => interpolate(frames, whole(7, 5), 0)).toThrow(/size from 1 to 16384/);
      const flat = Tensor.fromArray(new Uint8Array(9), [9]);
      expect(() => interpolate(flat, whole(1, 1), 4)).toThrow(/\[T, H, W, 3\]/);
      expect(() => resizeLinear(flat, { width: 8, height: 6 }, whole(1, 1))).toThrow(/\[T, H, W, 3\]/);
    });
  });
});
