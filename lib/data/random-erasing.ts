// Random erasing (Zhong et al. 2020; spec 4.8): a box of the clip, the same in every frame, is filled with noise.

import { fillNormal } from "../ops/random.js";
import type { RandomStream } from "../random.js";
import { scope } from "../tensor/scope.js";
import { Tensor } from "../tensor/tensor.js";

const ATTEMPTS = 100;
const AREA = [0.02, 1 / 3] as const;
const ASPECT = 0.3;

/** How often, and with what. */
export interface RandomErasing {
  /** Of a clip, in [0, 1]. */
  readonly probability: number;
  /** "pixel": noise of its own for every value; "frame": one value a frame and channel; "constant": 0. Default pixel. */
  readonly fill?: "pixel" | "frame" | "constant";
}

/**
 * Fills a box of a clip, or leaves it.
 * @param clip  normalised pixels (3, T, S, S), changed in place
 */
export function eraseRandomly(
  clip: Float32Array,
  { frames, size }: { readonly frames: number; readonly size: number },
  { probability, fill = "pixel" }: RandomErasing,
  stream: RandomStream,
): void {
  if (stream.uniform() >= probability) return;
  const box = drawBox(size, stream);
  if (box === undefined) return;
  const { x, y, width, height } = box;
  const rows = 3 * frames * height;
  const noise = fill === "pixel" ? normals(rows * width, stream) : undefined;
  for (let row = 0; row < rows; row++) {
    const picture = Math.floor(row / height); // channel * T + frame
    const at = (picture * size + y + (row % height)) * size + x;
    if (noise) clip.set(noise.subarray(row * width, (row + 1) * width), at);
    else if (row % height > 0) clip.copyWithin(at, at - size, at - size + width);
    else clip.fill(fill === "frame" ? stream.normal() : 0, at, at + width);
  }
}

function drawBox(size: number, stream: RandomStream) {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const area = (AREA[0] + (AREA[1] - AREA[0]) * stream.uniform()) * size * size;
    const aspect = Math.exp((2 * stream.uniform() - 1) * Math.log(1 / ASPECT));
    const height = Math.round(Math.sqrt(area * aspect));
    const width = Math.round(Math.sqrt(area / aspect));
    if (width < 1 || height < 1 || width >= size || height >= size) continue;
    return { y: stream.integer(size - height + 1), x: stream.integer(size - width + 1), width, height };
  }
  return undefined;
}

/** Normal numbers, mean 0 and deviation 1; made by the kernel, which is many times faster than the stream. */
function normals(count: number, stream: RandomStream): Float32Array {
  return scope(() => {
    const y = Tensor.zeros([count]);
    fillNormal(y, { seed: stream.bits(), stream: stream.bits() });
    return y.readSync() as Float32Array;
  });
}
