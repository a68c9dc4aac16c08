// Mixing of clips against the definition, to the bit, and against the reference.
import { describe, expect, it } from "vitest";
import { softTargets } from "#lib/data/mixup.js";
import { mixClips } from "#lib/ops/index.js";
import type { Device } from "#lib/tensor/dtype.js";
import { scope } from "#lib/tensor/scope.js";
import { Tensor } from "#lib/tensor/tensor.js";
import { largestDifference } from "../compare.js";
import { hasEmulator } from "../devices.js";
import { formulaVideo, formulaVideoBytes, haveShared, loadFixture } from "../fixtures.js";

const devices: Device[] = hasEmulator ? ["cpu", "emu"] : ["cpu"];

const [clips, frames, height, width] = [5, 2, 6, 8];
const plane = height * width;
const clip = 3 * frames * plane;
const shape = [clips, 3, frames, height, width];
const video = formulaVideo(3, shape);
const lambda = Float32Array.of(0.3, 1, 0.75, 0.1, 1);
const box = Int32Array.of(0, 0, 0, 0, 1, 4, 2, 7, -3, 2, 5, 99, 4, 2, 0, 8, 0, 6, 0, 8);

/** The definition, rounded after each operation. */
function defined(): Float32Array {
  const f32 = Math.fround;
  return video.map((own, i) => {
    const [b, y, x] = [Math.floor(i / clip), Math.floor(i / width) % height, i % width];
    const partner = video[i + (clips - 1 - 2 * b) * clip];
    const [top, bottom, left, right] = box.subarray(4 * b, 4 * b + 4);
    if (y >= top && y < bottom && x >= left && x < right) return partner;
    return lambda[b] === 1 ? own : f32(f32(own * lambda[b]) + f32(partner * f32(1 - lambda[b])));
  });
}

const mixed = (pixels: Tensor, device: Device = "cpu") =>
  mixClips(
    pixels.to(device),
    Tensor.fromArray(lambda, [clips], "f32", device),
    Tensor.fromArray(box, [clips, 4], "i32", device),
  );

describe.each(devices)("mixClips on %s", (device) => {
  it("is its definition to the bit", () => {
    scope(() => expect(mixed(Tensor.fromArray(video, shape), device).readSync()).toEqual(defined()));
  });

  it("normalises bytes first", () => {
    scope(() => {
      const bytes = formulaVideoBytes(3, shape);
      const asDecoded = bytes.map((_, i) => {
        const [pixel, channel] = [Math.floor(i / 3) % (frames * plane), i % 3];
        return bytes[Math.floor(i / clip) * clip + channel * frames * plane + pixel];
      });
      const y = mixed(Tensor.fromArray(asDecoded, [clips, frames, height, width, 3]), device);
      expect([y.dtype, y.shape]).toEqual(["f32", shape]);
      expect(largestDifference(y.readSync(), defined())).toBeLessThan(2e-6);
    });
  });

  it("leaves alone what is not a number in a partner of which it takes nothing", () => {
    scope(() => {
      const spoilt = video.slice();
      spoilt.fill(Number.NaN, 3 * clip, 4 * clip);
      const y = mixed(Tensor.fromArray(spoilt, shape), device).readSync();
      const second = y.subarray(clip, 2 * clip); // its box is 3 x 5 pixels of clip 3
      expect(second.filter((value) => Number.isNaN(value)).length).toBe(3 * frames * 15);
    });
  });
});

describe("mixClips", () => {
  it.each([
    [{ lambda: [4] }, /lambda of shape \[5\]; got f32\[4\]/],
    [{ box: [5, 3] }, /box of shape \[5, 4\]; got i32\[5, 3\]/],
    [{ video: [5, 2, 2, 6, 8] }, /video of shape \[B, 3, T, H, W\]/],
  ])("refuses %o", (changed, message) => {
    scope(() => {
      const shapes = { video: shape, lambda: [clips], box: [clips, 4], ...changed };
      const zeros = Tensor.zeros(shapes.box, "i32");
      expect(() => mixClips(Tensor.zeros(shapes.video), Tensor.zeros(shapes.lambda), zeros)).toThrow(message);
    });
  });
});

describe.skipIf(!haveShared)("against the reference", () => {
  const { json, tensors } = haveShared ? loadFixture("finetune_p16") : { json: {}, tensors: new Map() };

  it.each(["mixup", "cutmix"])("%s: clips and labels", (name) => {
    scope(() => {
      const { drawn_lambda, box: cut, effective_lambda, label_smoothing } = json[name];
      const { batch, classes } = json.config;
      const input = tensors.get("input.video")!;
      const rows = new Array<number[]>(batch).fill(cut ? [cut.y0, cut.y1, cut.x0, cut.x1] : [0, 0, 0, 0]);
      const y = mixClips(
        Tensor.fromArray(input.data as Float32Array, input.shape),
        Tensor.fromArray(new Float32Array(batch).fill(cut ? 1 : drawn_lambda), [batch]),
        Tensor.fromArray(Int32Array.from(rows.flat()), [batch, 4]),
      );
      // The reference multiplies by 1 - lambda as rounded from f64: its last bit may be another.
      expect(largestDifference(y.readSync(), tensors.get(`${name}.video`)!.data)).toBeLessThan(cut ? 1e-30 : 3e-7);
      const labels = Array.from(tensors.get("input.target")!.data as BigInt64Array, Number);
      const share = new Float64Array(batch).fill(effective_lambda);
      const targets = softTargets(labels, { classes, smoothing: label_smoothing, share });
      expect(largestDifference(targets, tensors.get(`${name}.soft_target`)!.data)).toBeLessThan(1e-7);
    });
  });
});
