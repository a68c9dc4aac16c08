// Pictures of clips: panels side by side as an animated WebP, or frame by frame as a PNG sheet. WebP because it is
// true-colour and fast to write (GIF took forty times as long). Small frames are enlarged by whole factors without
// smoothing, so that the pixels the model saw can be counted.

import { VideomaeError } from "../errors.js";
import { writeFileAtomic } from "../io/atomic-file.js";
import type { EncodedPicture } from "../log/event-file.js";
import { type Canvas, drawText, textHeight, textWidth } from "./lettering.js";

/** One clip of a picture, with its label. */
export interface Panel {
  readonly label: string;
  /** uint8 (T, S, S, 3) */
  readonly frames: Uint8Array;
}

/** What a picture of clips shows. */
export interface PictureOptions {
  /** The clips to show, in order, all of one shape: usually original, masked, reconstruction. */
  readonly panels: readonly Panel[];
  /** Side S of a frame in pixels. */
  readonly side: number;
  /** Pixels of the picture per pixel of a frame, a positive integer; by default a panel is at least 192 wide. */
  readonly scale?: number;
}

/** Options of `renderReconstruction`. */
export interface AnimationOptions extends PictureOptions {
  /** Frames per second, in (0, 60]; 8 unless given. */
  readonly fps?: number;
}

/** A picture as the bytes of a file. */
interface Drawn extends EncodedPicture {
  /** Frames of an animation, columns of a sheet. */
  readonly frames: number;
}

/** What was written. */
export interface Picture extends Omit<Drawn, "bytes"> {
  readonly path: string;
}

type Colour = readonly [number, number, number];

const BACKGROUND: Colour = [24, 26, 31];
const INK: Colour = [222, 224, 230];
const MARGIN = 10;
const GAP = 8;
const MIN_PANEL = 192;
const MIN_THUMBNAIL = 96;
const MAX_SIDE = 16_383; // WebP's limit

/**
 * Writes an animated WebP that loops: the panels side by side, each under its label.
 *
 * @param path  the file to write or replace; its folder must exist
 * @throws VideomaeError when the panels' shapes differ or the picture would be larger than WebP allows
 */
export async function renderReconstruction(path: string, options: AnimationOptions): Promise<Picture> {
  return written(path, await drawAnimation(options));
}

/** What `renderReconstruction` writes, as bytes. */
export async function drawAnimation(options: AnimationOptions): Promise<Drawn> {
  const op = "renderReconstruction";
  const { panels, side, fps = 8 } = options;
  const frames = frameCount(op, options);
  if (!(fps > 0 && fps <= 60)) {
    throw new VideomaeError({ op, expected: "fps in (0, 60]", got: String(fps), hint: "8 is easy to follow" });
  }
  const scale = options.scale ?? Math.ceil(MIN_PANEL / side);
  const panelSide = side * scale;
  const zoom = 2;
  const top = MARGIN + textHeight(zoom) + GAP;
  const width = 2 * MARGIN + panels.length * panelSide + (panels.length - 1) * GAP;
  const height = top + panelSide + MARGIN;
  checkSize(op, width, height);

  // The pages of an animation are one tall image to sharp.
  const pixels = new Uint8Array(frames * height * width * 3);
  for (let t = 0; t < frames; t++) {
    const page = { pixels: pixels.subarray(t * height * width * 3, (t + 1) * height * width * 3), width, height };
    if (t === 0) {
      clear(page);
      for (const [i, { label }] of panels.entries()) {
        const left = MARGIN + i * (panelSide + GAP);
        drawText(page, shorten(label, panelSide, zoom), { left, top: MARGIN, zoom, colour: INK });
      }
    } else {
      page.pixels.set(pixels.subarray(0, page.pixels.length));
    }
    for (const [i, panel] of panels.entries()) {
      paste(page, panel.frames, { frame: t, side, left: MARGIN + i * (panelSide + GAP), top, scale });
    }
  }
  const delay = new Array<number>(frames).fill(Math.round(1000 / fps));
  const raw = { width, height: height * frames, channels: 3, pageHeight: height } as const;
  const { default: sharp } = await import("sharp");
  const bytes = await sharp(pixels, { raw, limitInputPixels: false }).webp({ loop: 0, delay, quality: 85 }).toBuffer();
  return { bytes, width, height, frames };
}

/**
 * Writes a PNG sheet: a row per panel with its label at the left, a column per frame, every second frame of a clip
 * longer than eight.
 *
 * @param path  the file to write or replace; its folder must exist
 * @throws VideomaeError when the panels' shapes differ
 */
export async function writeSheet(path: string, options: PictureOptions): Promise<Picture> {
  return written(path, await drawSheet(options));
}

/** What `writeSheet` writes, as bytes. */
export async function drawSheet(options: PictureOptions): Promise<Drawn> {
  const op = "writeSheet";
  const { panels, side } = options;
  const frames = frameCount(op, options);
  const step = frames > 8 ? 2 : 1;
  const columns = Math.ceil(frames / step);
  const scale = options.scale ?? Math.ceil(MIN_THUMBNAIL / side);
  const cell = side * scale;
  const zoom = 2;
  const gap = 4;
  const left = MARGIN + Math.max(...panels.map(({ label }) => textWidth(label, zoom))) + MARGIN;
  const width = left + columns * (cell + gap) - gap + MARGIN;
  const height = 2 * MARGIN + panels.length * (cell + gap) - gap;
  checkSize(op, width, height);
  const sheet: Canvas = { pixels: new Uint8Array(height * width * 3), width, height };
  clear(sheet);
  for (const [row, { label, frames: clip }] of panels.entries()) {
    const top = MARGIN + row * (cell + gap);
    const middle = top + Math.floor((cell - textHeight(zoom)) / 2);
    drawText(sheet, label, { left: MARGIN, top: middle, zoom, colour: INK });
    for (let column = 0; column < columns; column++) {
      paste(sheet, clip, { frame: column * step, side, left: left + column * (cell + gap), top, scale });
    }
  }
  const { default: sharp } = await import("sharp");
  const bytes = await sharp(sheet.pixels, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
  return { bytes, width, height, frames: columns };
}

function written(path: string, { bytes, ...shape }: Drawn): Picture {
  writeFileAtomic(path, (sink) => sink(bytes));
  return { path, ...shape };
}

function clear({ pixels }: Canvas): void {
  for (let i = 0; i < pixels.length; i += 3) pixels.set(BACKGROUND, i);
}

/** Draws one frame of a clip, every pixel as a square of `scale`. */
function paste(
  canvas: Canvas,
  clip: Uint8Array,
  place: { frame: number; side: number; left: number; top: number; scale: number },
): void {
  const { side, left, top, scale } = place;
  const line = new Uint8Array(side * scale * 3);
  for (let y = 0; y < side; y++) {
    const row = (place.frame * side + y) * side * 3;
    for (let x = 0; x < side * scale; x++) {
      const at = row + Math.floor(x / scale) * 3;
      for (let c = 0; c < 3; c++) line[x * 3 + c] = clip[at + c];
    }
    for (let k = 0; k < scale; k++) {
      canvas.pixels.set(line, ((top + y * scale + k) * canvas.width + left) * 3);
    }
  }
}

/** The label, shortened when it is wider than its panel. */
function shorten(label: string, width: number, zoom: number): string {
  let text = label;
  while (textWidth(text, zoom) > width) text = `${text.slice(0, -3)}..`;
  return text;
}

/** T, after a check that the panels are of one shape. */
function frameCount(op: string, { panels, side, scale }: PictureOptions): number {
  if (!(Number.isInteger(side) && side > 0) || !(scale === undefined || (Number.isInteger(scale) && scale > 0))) {
    throw new VideomaeError({ op, expected: "side and scale positive integers", got: `side ${side}, scale ${scale}` });
  }
  const bytes = side * side * 3;
  const length = panels[0]?.frames.length ?? 0;
  for (const { label, frames } of panels) {
    if (frames.length === length && length > 0 && length % bytes === 0) continue;
    throw new VideomaeError({
      op,
      expected: `panels of one shape uint8[T, ${side}, ${side}, 3]`,
      got: `"${label}" of ${frames.length} bytes, the first of ${length}`,
      hint: `a frame is ${bytes} bytes`,
    });
  }
  if (panels.length === 0) throw new VideomaeError({ op, expected: "at least one panel", got: "none" });
  return length / bytes;
}

function checkSize(op: string, width: number, height: number): void {
  if (width <= MAX_SIDE && height <= MAX_SIDE) return;
  throw new VideomaeError({
    op,
    expected: `a picture of at most ${MAX_SIDE} pixels a side`,
    got: `${width} x ${height}`,
    hint: "lower scale, or show fewer panels or frames",
  });
}
