import { describe, expect, it } from "vitest";
import { centreCrop, multiScaleCrop, multiScaleCrops } from "#lib/data/multi-scale-crop.js";
import { type CropBox, cropResize } from "#lib/ops/crop-resize.js";
import { RandomStream } from "#lib/random.js";
import { scope } from "#lib/tensor/scope.js";
import { Tensor } from "#lib/tensor/tensor.js";
import { haveShared, loadFixture } from "../fixtures.js";

type Four = [number, number, number, number];

/** A single frame, u8 (height, width, 3), through the op. */
function resized(frame: Uint8Array, width: number, height: number, box: CropBox, size: number): Uint8Array {
  return scope(() => {
    const x = Tensor.fromArray(frame.subarray(0, height * width * 3), [1, height, width, 3]);
    return cropResize(x, box, size).readSync() as Uint8Array;
  });
}

function distinct(boxes: Iterable<{ width: number; height: number; x: number; y: number }>): string[] {
  return [...new Set([...boxes].map(({ width, height, x, y }) => [width, height, x, y].join()))].sort();
}

describe.skipIf(!haveShared)("the reference's crops and resized pixels", () => {
  const { json, tensors } = haveShared
    ? loadFixture("preprocess")
    : { json: { multi_scale: [], pil: [] }, tensors: new Map() };

  it("crops the same boxes", () => {
    expect(json.multi_scale.length).toBeGreaterThan(2);
    for (const { width, height, input_size, crops_w_h_x_y } of json.multi_scale) {
      const expected = crops_w_h_x_y.map((crop: Four) => crop.join()).sort();
      const fits = expected.every((crop: string) => {
        const [w, h] = crop.split(",").map(Number);
        return w <= width && h <= height;
      });
      expect(fits).toBe(true);
      expect(distinct(multiScaleCrops(width, height, input_size))).toEqual(expected);
      const stream = new RandomStream(1, "test");
      const drawn = Array.from({ length: 4000 }, () => multiScaleCrop(width, height, input_size, stream));
      expect(distinct(drawn)).toEqual(expected);
    }
  });

  it("resizes to the same bytes", () => {
    const [frames, height, width] = tensors.get("clip")!.shape;
    const clip = tensors.get("clip")!.data as Uint8Array;
    expect(json.pil).toHaveLength(3);
    for (const [i, { x, y, w, h, size }] of json.pil.entries()) {
      const expected = tensors.get(`pretrain_u8.${i}`)!.data as Uint8Array;
      for (let t = 0; t < frames; t++) {
        const frame = clip.subarray(t * height * width * 3);
        const out = resized(frame, width, height, { x, y, width: w, height: h }, size);
        expect(Buffer.compare(out, expected.subarray(t * out.length, (t + 1) * out.length))).toBe(0);
      }
    }
  });
});

describe("crops", () => {
  it("stay inside frames whose side snaps past the edge, and inside tiny ones", () => {
    for (const [width, height] of [
      [222, 300],
      [300, 223],
      [222, 222],
      [1, 1],
      [3, 500],
    ]) {
      for (const box of multiScaleCrops(width, height, 224)) {
        expect(box.x >= 0 && box.y >= 0 && box.width >= 1 && box.height >= 1).toBe(true);
        expect(box.x + box.width <= width && box.y + box.height <= height).toBe(true);
      }
    }
  });

  it("takes the middle square for evaluation", () => {
    expect(centreCrop(340, 256)).toEqual({ x: 42, y: 0, width: 256, height: 256 });
    expect(centreCrop(90, 161)).toEqual({ x: 0, y: 35, width: 90, height: 90 });
  });
});

describe("cropResize", () => {
  it("keeps white white and black black at every scale", () => {
    for (const value of [0, 255]) {
      const frame = new Uint8Array(70 * 50 * 3).fill(value);
      for (const size of [1, 7, 31, 50, 64, 224]) {
        const out = resized(frame, 70, 50, { x: 3, y: 1, width: 61, height: 49 }, size);
        expect(out.every((byte) => byte === value)).toBe(true);
      }
    }
  });

  it("copies a box of the output's size", () => {
    const frame = Uint8Array.from({ length: 5 * 4 * 3 }, (_, i) => i);
    const out = resized(frame, 5, 4, { x: 1, y: 2, width: 2, height: 2 }, 2);
    expect([...out]).toEqual([33, 34, 35, 36, 37, 38, 48, 49, 50, 51, 52, 53]);
  });

  it("rejects a box outside the frame", () => {
    expect(() => resized(new Uint8Array(60), 5, 4, { x: 4, y: 0, width: 2, height: 2 }, 2)).toThrow(/inside/);
  });
});
