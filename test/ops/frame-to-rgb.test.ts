import { describe, expect, it } from "vitest";
import { frameToRgb, type Orientation, type StoredLayout } from "#lib/ops/frame-to-rgb.js";
import { RandomStream } from "#lib/random.js";
import { scope } from "#lib/tensor/scope.js";
import { Tensor } from "#lib/tensor/tensor.js";

const UPRIGHT: Orientation = { transpose: false, mirrorX: false, mirrorY: false };
const BT601 = { kr: 0.299, kb: 0.114 };
const BASE: StoredLayout = {
  ...{ width: 7, height: 5, model: "yuv", depth: 8, chromaX: 1, chromaY: 1, full: false },
  ...BT601,
};

function converted(bytes: Uint8Array, layout: StoredLayout, orientation = UPRIGHT): Uint8Array {
  return scope(() => {
    const x = Tensor.fromArray(bytes, [1, bytes.length]);
    return frameToRgb(x, layout, orientation).readSync() as Uint8Array;
  });
}

/** Samples of every plane at random, and the bytes that hold them. */
function drawn(layout: StoredLayout, seed: number) {
  const { width, height, model, depth, chromaX, chromaY } = layout;
  const chroma = Math.ceil(width / 2 ** chromaX) * Math.ceil(height / 2 ** chromaY);
  const luma = width * height;
  const count = { yuv: luma + 2 * chroma, gray: luma, gbr: 3 * luma, rgb: 3 * luma }[model];
  const stream = new RandomStream(seed, "test");
  const samples = Array.from({ length: count }, () => stream.integer(2 ** depth));
  const bytes = depth > 8 ? new Uint8Array(Uint16Array.from(samples).buffer) : Uint8Array.from(samples);
  return { samples, bytes };
}

/** The formulas of the op's header in f64, before rounding. */
function exact(samples: readonly number[], layout: StoredLayout): number[] {
  const { width, height, model, depth, chromaX, chromaY, kr, kb, full } = layout;
  const unit = 2 ** (depth - 8);
  const [black, lumaSpan, chromaSpan] = full
    ? [0, 2 ** depth - 1, 2 ** depth - 1]
    : [16 * unit, 219 * unit, 224 * unit];
  const scaled = (sample: number) => ((sample - black) * 255) / lumaSpan;
  const plane = width * height;
  const chromaWidth = Math.ceil(width / 2 ** chromaX);
  const chromaPlane = chromaWidth * Math.ceil(height / 2 ** chromaY);
  return Array.from({ length: plane }, (_, i) => {
    if (model === "rgb") return samples.slice(3 * i, 3 * i + 3);
    const y = scaled(samples[i]);
    if (model === "gray") return [y, y, y];
    if (model === "gbr") return [scaled(samples[2 * plane + i]), y, scaled(samples[plane + i])];
    const at = plane + (Math.floor(i / width) >> chromaY) * chromaWidth + ((i % width) >> chromaX);
    const [u, v] = [samples[at], samples[at + chromaPlane]].map((c) => ((c - 128 * unit) * 255) / chromaSpan);
    const red = y + 2 * (1 - kr) * v;
    const blue = y + 2 * (1 - kb) * u;
    return [red, (y - kr * red - kb * blue) / (1 - kr - kb), blue];
  }).flat();
}

describe("frameToRgb", () => {
  it.each([
    ["limited BT.601", {}],
    ["full range", { full: true }],
    ["BT.709", { kr: 0.2126, kb: 0.0722 }],
    ["BT.2020 of 10 bits", { kr: 0.2627, kb: 0.0593, depth: 10 }],
    ["4:2:2 of 12 bits", { chromaY: 0, depth: 12 }],
    ["4:4:4 of 16 bits, full range", { chromaX: 0, chromaY: 0, depth: 16, full: true }],
    ["4:1:1", { chromaX: 2, chromaY: 0, width: 9 }],
    ["4:4:0", { chromaX: 0 }],
    ["4:1:0", { chromaX: 2, chromaY: 2 }],
    ["grey", { model: "gray", full: true }],
    ["grey of 9 bits, limited", { model: "gray", depth: 9 }],
    ["planes of green, blue and red", { model: "gbr", full: true }],
    ["the same of 14 bits", { model: "gbr", full: true, depth: 14 }],
    ["interleaved RGB", { model: "rgb", full: true }],
    ["wide rows", { width: 1001, height: 70 }],
  ] as [string, Partial<StoredLayout>][])("computes the formulas: %s", (_, change) => {
    const layout = { ...BASE, ...change };
    const { samples, bytes } = drawn(layout, 3);
    const rgb = converted(bytes, layout);
    const expected = exact(samples, layout);
    expect(rgb).toHaveLength(expected.length);
    // Rounded half up from sums whose factors are rounded to 16 bits or more.
    for (const [i, value] of rgb.entries()) {
      expect(Math.abs(value - Math.min(255, Math.max(0, expected[i])))).toBeLessThan(0.55);
    }
  });

  it("keeps black, white and grey", () => {
    const flat = (y: number, layout: StoredLayout) => {
      const { bytes } = drawn(layout, 0);
      return [...new Set(converted(bytes.fill(128).fill(y, 0, layout.width * layout.height), layout))];
    };
    expect([16, 126, 235, 0, 255].map((y) => flat(y, BASE))).toEqual([[0], [128], [255], [0], [255]]);
    for (const y of [0, 1, 127, 254, 255]) expect(flat(y, { ...BASE, full: true })).toEqual([y]);
  });

  it("turns and mirrors", () => {
    const layout: StoredLayout = { ...BASE, model: "rgb", width: 3, height: 2, full: true };
    const bytes = Uint8Array.from({ length: 18 }, (_, i) => Math.floor(i / 3)); // 0 1 2 / 3 4 5
    const turned = (orientation: Orientation) =>
      [...converted(bytes, layout, orientation)].filter((_, i) => i % 3 === 0).join("");
    const at = (transpose: boolean, mirrorX: boolean, mirrorY: boolean) => turned({ transpose, mirrorX, mirrorY });
    expect(at(false, false, false)).toBe("012345");
    expect(at(false, true, false)).toBe("210543");
    expect(at(false, false, true)).toBe("345012");
    expect(at(false, true, true)).toBe("543210");
    expect(at(true, false, false)).toBe("031425");
    expect(at(true, true, false)).toBe("304152");
    expect(at(true, false, true)).toBe("251403");
    expect(at(true, true, true)).toBe("524130");
  });

  it("does not let bits above the depth into the sums", () => {
    const layout = { ...BASE, depth: 10 };
    const { bytes } = drawn(layout, 0);
    const most = new Uint8Array(Uint16Array.from({ length: bytes.length / 2 }, () => 1023).buffer);
    expect(converted(bytes.fill(255), layout)).toEqual(converted(most, layout));
  });

  it("names what is wrong", () => {
    const bytes = new Uint8Array(10);
    expect(() => converted(bytes, BASE)).toThrow(/59 bytes a picture of 7 x 5/);
    expect(() => converted(bytes, { ...BASE, depth: 7 })).toThrow(/depth from 8 to 16; got 7/);
    expect(() => converted(bytes, { ...BASE, kr: 0.9 })).toThrow(/kr and kb/);
    expect(() => converted(bytes, { ...BASE, width: 0 })).toThrow(/width from 1/);
  });
});
