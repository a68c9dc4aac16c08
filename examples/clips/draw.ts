// Draws small clips that a model can learn in minutes: a banded shape that slides, turns or grows over a colour ramp
// that drifts slowly. Everything is smooth and predictable from a few visible patches; there is no noise, which nothing
// could predict. A clip is a pure function of (seed, index), drawn from signed distances, so that edges are soft by one
// pixel.

import { RandomStream } from "#lib/random.js";

export const SHAPES = ["disc", "square", "triangle", "ring"] as const;
export const MOTIONS = ["sliding", "turning", "growing"] as const;
export type ShapeKind = (typeof SHAPES)[number];
export type Motion = (typeof MOTIONS)[number];

export interface DrawOptions {
  /** Side of a frame in pixels. */
  readonly size: number;
  /** Frames of the clip. */
  readonly frames: number;
  readonly fps: number;
  readonly seed: number;
  /** Which clip of the series; twelve in a row show every shape in every motion. */
  readonly index: number;
}

export interface DrawnClip {
  /** uint8 (frames, size, size, 3) */
  readonly frames: Uint8Array;
  readonly shape: ShapeKind;
  readonly motion: Motion;
}

type Rgb = readonly [number, number, number];

/** A shape's path and dress. Lengths are in frame sides, angles in radians, times in seconds. */
interface Shape {
  readonly radius: number;
  readonly x: number;
  readonly y: number;
  readonly vx: number;
  readonly vy: number;
  readonly angle: number;
  readonly spin: number;
  /** Fraction of the radius by which it swells and shrinks, and the period's phase. */
  readonly swell: number;
  readonly phase: number;
  readonly bands: number;
  readonly light: Rgb;
  readonly dark: Rgb;
}

interface Ramp {
  readonly from: Rgb;
  readonly to: Rgb;
  readonly angle: number;
  readonly phase: number;
  readonly drift: number;
}

/** Signed distance to each shape's edge in units of its radius, negative inside. */
const DISTANCE: Record<ShapeKind, (x: number, y: number) => number> = {
  disc: (x, y) => Math.hypot(x, y) - 1,
  square: (x, y) => Math.max(Math.abs(x), Math.abs(y)) - 0.86,
  // Three edges at distance 0.6 from the centre.
  triangle: (x, y) => Math.max(y, -0.5 * y + 0.866 * x, -0.5 * y - 0.866 * x) - 0.6,
  ring: (x, y) => Math.abs(Math.hypot(x, y) - 0.74) - 0.3,
};

/** Draws clip `index` of the series that `seed` names. */
export function drawClip({ size, frames, fps, seed, index }: DrawOptions): DrawnClip {
  const shape = SHAPES[index % SHAPES.length];
  const motion = MOTIONS[Math.floor(index / SHAPES.length) % MOTIONS.length];
  const random = new RandomStream(seed, "example.clip", [index]);
  const hue = random.uniform();
  const ramp = drawRamp(random, hue);
  const dressed = drawShape(random, motion, hue);
  const pixels = new Uint8Array(frames * size * size * 3);
  for (let t = 0; t < frames; t++) {
    const frame = pixels.subarray(t * size * size * 3, (t + 1) * size * size * 3);
    paintFrame(frame, size, t / fps, ramp, dressed, DISTANCE[shape]);
  }
  return { frames: pixels, shape, motion };
}

function drawRamp(random: RandomStream, hue: number): Ramp {
  const between = (low: number, high: number) => low + (high - low) * random.uniform();
  return {
    from: colour(hue, between(0.45, 0.65), between(0.2, 0.32)),
    to: colour(hue + between(0.08, 0.2), between(0.35, 0.6), between(0.55, 0.75)),
    angle: between(0, 2 * Math.PI),
    phase: between(0, 2 * Math.PI),
    drift: between(0.3, 0.9) * (random.integer(2) ? 1 : -1),
  };
}

function drawShape(random: RandomStream, motion: Motion, backgroundHue: number): Shape {
  const between = (low: number, high: number) => low + (high - low) * random.uniform();
  const sign = random.integer(2) ? 1 : -1;
  const heading = between(0, 2 * Math.PI);
  const speed = motion === "sliding" ? between(0.3, 0.55) : between(0.04, 0.1);
  const hue = backgroundHue + 0.4 + between(0, 0.12);
  return {
    radius: between(0.2, 0.28),
    x: between(0.25, 0.75),
    y: between(0.25, 0.75),
    vx: speed * Math.cos(heading),
    vy: speed * Math.sin(heading),
    angle: between(0, 2 * Math.PI),
    spin: motion === "turning" ? sign * between(1.5, 3) : 0,
    swell: motion === "growing" ? between(0.35, 0.5) : 0,
    phase: between(0, 2 * Math.PI),
    bands: 2 + random.integer(2),
    light: colour(hue, between(0.55, 0.8), 1),
    dark: colour(hue + 0.06, between(0.75, 0.95), between(0.5, 0.65)),
  };
}

function paintFrame(
  frame: Uint8Array,
  size: number,
  seconds: number,
  ramp: Ramp,
  shape: Shape,
  distance: (x: number, y: number) => number,
): void {
  const radius = shape.radius * (1 + shape.swell * Math.sin(2 * Math.PI * 0.6 * seconds + shape.phase));
  const soft = radius * size; // pixels a radius
  const angle = shape.angle + shape.spin * seconds;
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const [centreX, centreY] = [bounce(shape.x + shape.vx * seconds), bounce(shape.y + shape.vy * seconds)];
  const [rampX, rampY] = [Math.cos(ramp.angle), Math.sin(ramp.angle)];
  for (let py = 0; py < size; py++) {
    for (let px = 0; px < size; px++) {
      const [x, y] = [(px + 0.5) / size, (py + 0.5) / size];
      const along = 0.5 + 0.5 * Math.sin(2.6 * (rampX * x + rampY * y) + ramp.phase + ramp.drift * seconds);
      const [dx, dy] = [(x - centreX) / radius, (y - centreY) / radius];
      const [u, v] = [cos * dx + sin * dy, cos * dy - sin * dx];
      const cover = clamp(0.5 - distance(u, v) * soft);
      // Bands run along v; each flank is one pixel wide.
      const wave = Math.sin(Math.PI * shape.bands * (u + 0.5 / shape.bands));
      const band = clamp(0.5 + (wave * soft) / (Math.PI * shape.bands));
      const pixel = mix(mix(ramp.from, ramp.to, along), mix(shape.dark, shape.light, band), cover);
      for (let c = 0; c < 3; c++) frame[(py * size + px) * 3 + c] = Math.round(pixel[c] * 255);
    }
  }
}

/** Reflects a coordinate at 0.1 and 0.9, so that a centre never leaves the frame. */
function bounce(x: number): number {
  const period = (((x - 0.1) % 1.6) + 1.6) % 1.6;
  return 0.1 + (period < 0.8 ? period : 1.6 - period);
}

function clamp(x: number): number {
  return Math.min(1, Math.max(0, x));
}

function mix(a: Rgb, b: Rgb, amount: number): Rgb {
  return [a[0] + (b[0] - a[0]) * amount, a[1] + (b[1] - a[1]) * amount, a[2] + (b[2] - a[2]) * amount];
}

/** RGB in [0, 1] of a hue (1 = full circle), saturation and value. */
function colour(hue: number, saturation: number, value: number): Rgb {
  const channel = (offset: number) => {
    const k = (((offset + hue * 6) % 6) + 6) % 6;
    return value - value * saturation * clamp(Math.min(k, 4 - k));
  };
  return [channel(5), channel(3), channel(1)];
}
