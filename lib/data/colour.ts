// What the samples of a picture mean: the matrix between luma, chroma and RGB, and the range.
//
// A tag counts. Without one the matrix is BT.709 for a picture of at least 1280 columns or more than 576 rows and BT.601
// for a smaller one, as players have it, and the range is limited, except for formats that are always full (yuvj, grey,
// RGB). Transfer curve and primaries are not looked at: an HDR or wide-gamut picture keeps its code values.

import type { StoredLayout } from "../ops/frame-to-rgb.js";
import type { PixelFormat } from "./pixel-format.js";

/** Colour tags by FFmpeg's names, e.g. `bt709` and `tv`; any other word for "unknown". */
export interface ColourTags {
  readonly colorSpace: string;
  readonly colorRange: string;
}

/** Weights of red and blue in luma. Both forms of BT.2020 are read as that of non-constant luminance. */
const MATRICES: Record<string, readonly [kr: number, kb: number]> = {
  bt470bg: [0.299, 0.114],
  smpte170m: [0.299, 0.114],
  bt709: [0.2126, 0.0722],
  fcc: [0.3, 0.11],
  smpte240m: [0.212, 0.087],
  bt2020nc: [0.2627, 0.0593],
  bt2020c: [0.2627, 0.0593],
};
/** Matrices of another form, which would give wrong colours. */
const REFUSED = /^(ycgco|smpte2085|chroma-derived|ictcp|ipt)/;

/** The matrix and range of a picture, or undefined where its matrix is of another form than Y'CbCr. */
export function colourOf(
  { model, full }: PixelFormat,
  { colorSpace, colorRange }: ColourTags,
  width: number,
  height: number,
): Pick<StoredLayout, "kr" | "kb" | "full"> | undefined {
  if (model === "yuv" && REFUSED.test(colorSpace)) return undefined;
  const untagged = width >= 1280 || height > 576 ? MATRICES.bt709 : MATRICES.smpte170m;
  const [kr, kb] = MATRICES[colorSpace] ?? untagged;
  return { kr, kb, full: colorRange === "pc" || (colorRange !== "tv" && full) };
}
