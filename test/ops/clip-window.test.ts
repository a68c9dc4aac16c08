// Clips that are windows of larger videos, mirrored or not: the same bits as of videos that were cut out and mirrored first.
import { describe, expect, it } from "vitest";
import type { NumberArray } from "#lib/addon/binding.js";
import { backward } from "#lib/autograd/backward.js";
import { type ClipWindow, embedVisible } from "#lib/ops/embed-visible.js";
import { maskedPixelLoss, pixelTargets, tokenLosses } from "#lib/ops/masked-pixel-loss.js";
import type { Device, DType } from "#lib/tensor/dtype.js";
import { scope } from "#lib/tensor/scope.js";
import { Tensor } from "#lib/tensor/tensor.js";
import { hasEmulator } from "../devices.js";
import { checkGradient, numbers } from "./check-gradient.js";

/** Where a clip lies: top, left, flip. */
type Place = readonly [number, number, 0 | 1];

interface Case {
  readonly height: number;
  readonly width: number;
  readonly side: number;
  readonly patch: number;
  /** Of every clip of the batch. */
  readonly places: readonly Place[];
}

// Windows at every edge and in between, at rows that begin at whole words and not; patches that are whole quads and not.
const cases: readonly Case[] = [
  {
    height: 12,
    width: 16,
    side: 8,
    patch: 4,
    places: [
      [0, 0, 0],
      [4, 8, 1],
      [1, 4, 0],
      [2, 3, 1],
    ],
  },
  { height: 33, width: 37, side: 32, patch: 16, places: [[1, 5, 1]] },
  { height: 29, width: 31, side: 28, patch: 14, places: [[1, 1, 1]] },
  {
    height: 7,
    width: 9,
    side: 6,
    patch: 3,
    places: [
      [1, 3, 1],
      [0, 1, 0],
    ],
  },
  {
    height: 8,
    width: 8,
    side: 8,
    patch: 4,
    places: [
      [0, 0, 0],
      [0, 0, 1],
    ],
  },
];

const frames = 2;
const tubelet = 2;

/** Element offsets, in a video of `height` x `width`, of what a window cuts out, in the order of a video of its size. */
function cutOut({ height, width, side, places }: Case, channelsLast: boolean): number[] {
  const offsets: number[] = [];
  for (const [b, [top, left, flip]] of places.entries()) {
    const pixel = (y: number, x: number) => (top + y) * width + left + (flip ? side - 1 - x : x);
    for (let plane = 0; plane < (channelsLast ? frames : 3 * frames); plane++) {
      const start = (b * (channelsLast ? frames : 3 * frames) + plane) * height * width;
      for (let y = 0; y < side; y++) {
        for (let x = 0; x < side; x++) {
          if (!channelsLast) offsets.push(start + pixel(y, x));
          else for (let c = 0; c < 3; c++) offsets.push((start + pixel(y, x)) * 3 + c);
        }
      }
    }
  }
  return offsets;
}

/** A batch of larger videos with its window, and the batch of what the windows cut out of them. */
function videos(c: Case, bytes: boolean, dtype: "f32" | "f64", device: Device) {
  const { height, width, side, places } = c;
  const clips = places.length;
  const size = clips * frames * height * width * 3;
  const drawn = bytes ? numbers(size, "pixels", 0, 256).map(Math.floor) : numbers(size, "pixels");
  const offsets = cutOut(c, bytes);
  const shape = (h: number, w: number) => (bytes ? [clips, frames, h, w, 3] : [clips, 3, frames, h, w]);
  const make = (data: number[], h: number, w: number) =>
    Tensor.fromArray(data, shape(h, w), bytes ? "u8" : dtype, device);
  const window = Tensor.fromArray(Int32Array.from(places.flat()), [clips, 3], "i32", device);
  const cut = offsets.map((offset) => drawn[offset]);
  return { whole: make(drawn, height, width), cut: make(cut, side, side), view: { window, side }, offsets };
}

function grid({ side, patch, places }: Case) {
  return { clips: places.length, tokens: (frames / tubelet) * (side / patch) ** 2, columns: tubelet * patch ** 2 * 3 };
}

/** i32 (B, count): every second token from `first` on. */
function index(c: Case, first: number, device: Device): Tensor {
  const { clips, tokens } = grid(c);
  const row = Array.from({ length: tokens / 2 }, (_, i) => (first + 2 * i) % tokens);
  return Tensor.fromArray(Int32Array.from(Array(clips).fill(row).flat()), [clips, row.length], "i32", device);
}

const bytesOf = (x: NumberArray) => Buffer.from(x.buffer, x.byteOffset, x.byteLength);
const sameBits = (a: NumberArray, b: NumberArray) => bytesOf(a).equals(bytesOf(b));

const real = (shape: number[], name: string, dtype: DType, device: Device) =>
  Tensor.fromArray(
    numbers(
      shape.reduce((a, b) => a * b, 1),
      name,
    ),
    shape,
    dtype,
    device,
  );

/** What embedVisible gives, and the gradients of its weight and of a floating video. */
function embedded(c: Case, video: Tensor, dtype: "f32" | "f64" | "bf16", device: Device, view?: ClipWindow) {
  const { patch } = c;
  const { tokens } = grid(c);
  const wide = dtype === "f64" ? "f64" : "f32";
  const weight = real([5, 3, tubelet, patch, patch], "weight", dtype, device);
  weight.requiresGrad = true;
  video.requiresGrad = video.dtype !== "u8";
  const [bias, position] = [real([5], "bias", wide, device), real([tokens, 5], "position", wide, device)];
  const y = embedVisible(video, index(c, 1, device), weight, bias, position, view);
  backward(y, real([...y.shape], "grad", dtype, device));
  return { y: y.readSync(), weight: weight.grad!.readSync(), video: video.grad?.readSync() };
}

/** What the loss gives, its parts, its targets and its gradient. */
function losses(c: Case, video: Tensor, dtype: "f32" | "f64" | "bf16", device: Device, view?: ClipWindow) {
  const { clips, tokens, columns } = grid(c);
  const prediction = real([clips, tokens / 2, columns], "prediction", dtype, device);
  prediction.requiresGrad = true;
  const about = { video, decoded: index(c, 0, device), visible: index(c, 1, device), tubelet, patch: c.patch, ...view };
  const loss = maskedPixelLoss(prediction, about);
  backward(loss);
  const targets = pixelTargets(video, about.decoded, { tubelet, patch: c.patch, ...view });
  return [loss, tokenLosses(prediction, about), targets, prediction.grad!].map((x) => x.readSync());
}

const devices = [
  ["cpu", ["f32", "bf16", "f64"]],
  ["emu", ["f32", "bf16"]],
] as const;

describe.each(devices)("on %s, a window", (device, dtypes) => {
  it.skipIf(device === "emu" && !hasEmulator).each(cases)("gives the bits of the cut-out video: %o", (c) => {
    for (const dtype of dtypes) {
      for (const bytes of [true, false]) {
        scope(() => {
          const { whole, cut, view, offsets } = videos(c, bytes, dtype === "f64" ? "f64" : "f32", device);
          const [seen, expected] = [embedded(c, whole, dtype, device, view), embedded(c, cut, dtype, device)];
          expect(sameBits(seen.y, expected.y)).toBe(true);
          expect(sameBits(seen.weight, expected.weight)).toBe(true);
          const wanted = losses(c, cut, dtype, device);
          for (const [i, part] of losses(c, whole, dtype, device, view).entries()) {
            expect(sameBits(part, wanted[i]), `part ${i} of the loss`).toBe(true);
          }
          if (bytes) return;
          const scattered = new Float64Array(whole.size); // no gradient outside the window
          for (const [i, offset] of offsets.entries()) scattered[offset] = expected.video![i];
          expect(sameBits(Float64Array.from(seen.video!), scattered)).toBe(true);
        });
      }
    }
  });
});

describe("a window", () => {
  const c = cases[3];

  it("has the gradient that differences give", () => {
    const { clips, tokens } = grid(c);
    const window = Int32Array.from(c.places.flat());
    checkGradient(
      (video, weight, bias) =>
        embedVisible(video, index(c, 1, "cpu"), weight, bias, Tensor.zeros([tokens, 2], "f64"), {
          window: Tensor.fromArray(window, [clips, 3]),
          side: c.side,
        }),
      [{ shape: [clips, 3, frames, c.height, c.width] }, { shape: [2, 3, tubelet, c.patch, c.patch] }, { shape: [2] }],
    );
  });

  it("that does not fit its video is refused", () => {
    scope(() => {
      const { whole } = videos(c, true, "f32", "cpu");
      const loss = (places: number[], side = c.side, shape = [2, 3]) => {
        const view = { window: Tensor.fromArray(Int32Array.from(places), shape), side };
        return () => losses(c, whole, "f32", "cpu", view);
      };
      expect(loss([2, 0, 0, 0, 0, 0])).toThrow(
        "maskedPixelLoss: expected a window with top from 0 to 1; got 2 for clip 0",
      );
      expect(loss([0, 0, 0, 0, 4, 0])).toThrow("a window with left from 0 to 3; got 4 for clip 1");
      expect(loss([0, -1, 0, 0, 0, 0])).toThrow("a window with left from 0 to 3; got -1 for clip 0");
      expect(loss([0, 0, 2, 0, 0, 0])).toThrow("a window with flip from 0 to 1; got 2 for clip 0");
      expect(loss([0, 0, 0, 0], c.side, [2, 2])).toThrow("window of shape [2, 3]");
      const sided = () => pixelTargets(whole, index(c, 0, "cpu"), { tubelet, patch: c.patch, side: c.side });
      expect(sided).toThrow("pixelTargets: expected a window, since there is a side; got none");
      for (const side of [0, 9]) {
        expect(loss([0, 0, 0, 0, 0, 0], side)).toThrow(
          /a window whose side is 1 or more and fits the video; got side \d/,
        );
      }
    });
  });
});
