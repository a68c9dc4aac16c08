// FFmpeg's pixel formats: how the samples of the plain ones lie, and in which plain one the others keep their samples.
//
// Plain are planes of 8 to 16 bits, little-endian, and RGB24. Going from another format to its plain one only moves or
// looks up (palettes) samples, so it does not matter which version of FFmpeg does it. Alpha, the last plane, is not read:
// what lies under it is shown whole.

import type { StoredLayout } from "../ops/frame-to-rgb.js";

/** What a format's name says of a picture. */
export interface PixelFormat extends Pick<StoredLayout, "model" | "depth" | "chromaX" | "chromaY"> {
  /** Whether samples use their whole range where the picture does not say. */
  readonly full: boolean;
  /** Whether a plane of alpha follows. */
  readonly alpha: boolean;
}

/** log2 of the luma samples of a chroma sample, across and down. */
const CHROMA: Record<string, readonly [number, number]> = {
  "410": [2, 2],
  "411": [2, 0],
  "420": [1, 1],
  "422": [1, 0],
  "440": [0, 1],
  "444": [0, 0],
};

/** The layout of a plain format, undefined for any other. */
export function pixelFormat(name: string): PixelFormat | undefined {
  const whole = { depth: 8, chromaX: 0, chromaY: 0, full: true, alpha: false };
  if (name === "rgb24") return { ...whole, model: "rgb" };
  const planar = /^(?:yuv([ja]?)(4\d\d)p|(gbra?p)|(gray))(?:(9|1[0-6])le)?$/.exec(name);
  if (planar === null) return undefined;
  const [, variant, sampling, gbr, , bits = "8"] = planar;
  const depth = Number(bits);
  if (sampling === undefined) {
    return { ...whole, depth, model: gbr ? "gbr" : "gray", alpha: gbr === "gbrap" };
  }
  const chroma = CHROMA[sampling];
  if (chroma === undefined) return undefined;
  const [chromaX, chromaY] = chroma;
  return { model: "yuv", depth, chromaX, chromaY, full: variant === "j", alpha: variant === "a" };
}

/** Bytes of a picture without its alpha plane, and with it. */
export function pictureBytes({ model, depth, chromaX, chromaY, alpha }: PixelFormat, width: number, height: number) {
  const luma = width * height;
  const chroma = Math.ceil(width / 2 ** chromaX) * Math.ceil(height / 2 ** chromaY);
  const samples = { yuv: luma + 2 * chroma, gray: luma, gbr: 3 * luma, rgb: 3 * luma }[model];
  const each = depth > 8 ? 2 : 1;
  return { shown: samples * each, stored: (samples + (alpha ? luma : 0)) * each };
}

/** [formats, their plain one]. */
const PLAIN: readonly (readonly [RegExp, string])[] = [
  [/^(yuva?4\d\dp|gbra?p|gray)(\d+)be$/, "$1$2le"],
  [/^nv(12|21)$/, "yuv420p"],
  [/^nv16$/, "yuv422p"],
  [/^nv20[lb]e$/, "yuv422p10le"],
  [/^nv(24|42)$/, "yuv444p"],
  [/^p0(10|12|16)[lb]e$/, "yuv420p$1le"],
  [/^p2(10|12|16)[lb]e$/, "yuv422p$1le"],
  [/^p4(10|12|16)[lb]e$/, "yuv444p$1le"],
  [/^(yuyv|uyvy|yvyu)422$/, "yuv422p"],
  [/^uyyvyy411$/, "yuv411p"],
  [/^y2(10|12|16)[lb]e$/, "yuv422p$1le"],
  [/^(vuya|vuyx|ayuv|uyva|vyu444)$/, "yuv444p"],
  [/^(xv30|v30x)[lb]e$/, "yuv444p10le"],
  [/^xv36[lb]e$/, "yuv444p12le"],
  [/^(xv48|ayuv64)[lb]e$/, "yuv444p16le"],
  [/^(ya8|monow|monob)$/, "gray"],
  [/^ya16[lb]e$/, "gray16le"],
  [/^(rgb48|bgr48|rgba64|bgra64)[lb]e$/, "gbrp16le"],
  [/^(x2rgb10|x2bgr10)[lb]e$/, "gbrp10le"],
  [/^(pal8|bgr24|rgba|bgra|argb|abgr|0rgb|rgb0|0bgr|bgr0|(rgb|bgr)(4|8|4_byte|(444|555|565)[lb]e))$/, "rgb24"],
];

/** The plain format that holds the samples of `name`, or undefined where there is none (floats, raw sensors). */
export function plainFormat(name: string): string | undefined {
  if (pixelFormat(name)) return name;
  const row = PLAIN.find(([pattern]) => pattern.test(name));
  return row && name.replace(row[0], row[1]);
}
