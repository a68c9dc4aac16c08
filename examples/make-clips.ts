// Makes a folder of small real videos to try the package with: 64 x 64, H.264 in mp4, drawn by clips/draw.ts.
//
//   node build/examples/make-clips.js [folder] [--count 24] [--size 64] [--frames 32] [--seed 0]

import { mkdirSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { drawClip, type Motion, type ShapeKind } from "./clips/draw.js";
import { encodeClip } from "./clips/encode.js";

export interface MakeClipsOptions {
  /** How many clips; 24 unless given. Twelve in a row show every shape in every motion. */
  readonly count?: number;
  /** Side in pixels, even; 64 unless given. */
  readonly size?: number;
  /** Frames of a clip; 32 unless given, two seconds. */
  readonly frames?: number;
  /** The same seed draws the same clips; 0 unless given. */
  readonly seed?: number;
}

export interface MadeClip {
  readonly path: string;
  readonly shape: ShapeKind;
  readonly motion: Motion;
}

const FPS = 16;

/** Writes `clip-000.mp4`, `clip-001.mp4`, ... into `folder`, which is made when it is not there. */
export async function makeClips(folder: string, options: MakeClipsOptions = {}): Promise<MadeClip[]> {
  const { count = 24, size = 64, frames = 32, seed = 0 } = options;
  mkdirSync(folder, { recursive: true });
  const made: MadeClip[] = [];
  for (let index = 0; index < count; index++) {
    const clip = drawClip({ size, frames, fps: FPS, seed, index });
    const file = path.join(folder, `clip-${String(index).padStart(3, "0")}.mp4`);
    await encodeClip(file, { frames: clip.frames, size, fps: FPS });
    made.push({ path: file, shape: clip.shape, motion: clip.motion });
  }
  return made;
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      count: { type: "string" },
      size: { type: "string" },
      frames: { type: "string" },
      seed: { type: "string" },
    },
  });
  const numbers = Object.fromEntries(Object.entries(values).map(([name, text]) => [name, wholeNumber(name, text)]));
  const folder = positionals[0] ?? path.join("build", "clips");
  const made = await makeClips(folder, numbers);
  for (const clip of made) console.log(`${clip.path}  ${clip.shape}, ${clip.motion}`);
}

function wholeNumber(name: string, text: string): number {
  const value = Number(text);
  if (text === "" || !Number.isSafeInteger(value) || value < 0)
    throw new Error(`--${name}: expected a whole number, got "${text}"`);
  return value;
}

if (process.argv[1] && path.resolve(process.argv[1]) === fileURLToPath(import.meta.url)) await main();
