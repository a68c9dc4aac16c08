// From the model's normalised patches back to pixels, and onto the frames of a clip.
//
// The pre-training target of a token is (u - m) / (sqrt(v) + 1e-6) for every colour channel separately, with m and the
// unbiased v over the 2 p^2 pixels of its patch and u in [0, 1] (spec 3.3). A picture needs m and the root again:
//  - the patch's own, `patchStatistics`: exact, but they are read from the hidden pixels, so that even a wrong
//    prediction gets the right brightness;
//  - guessed from what the encoder saw, `visibleStatistics`: within a slice of time, the mean over visible patches
//    weighted by 1 / squared distance. Nothing hidden is used. Cost O(hidden * visible of a slice).
//
// Frames are uint8 (T, H, W, 3). Columns of a patch are ordered ((dt * p + dy) * p + dx) * 3 + c (spec 3.2).

import { VideomaeError } from "../errors.js";
import { type TokenGrid, tokenCount } from "../masking/token-grid.js";

/** The tokens of a clip, and the pixels of each: the clip is (t * tubelet, h * patch, w * patch, 3). */
export interface PatchGrid extends TokenGrid {
  /** Side p of a patch in pixels. */
  readonly patch: number;
  /** Frames per token. */
  readonly tubelet: number;
}

/** Per token and channel, of pixels in [0, 1]. Rows of tokens that were not asked for are zero. */
export interface PatchStatistics {
  /** (N, 3) */
  readonly mean: Float32Array;
  /** (N, 3): sqrt(unbiased variance) + 1e-6, what the target was divided by. */
  readonly scale: Float32Array;
}

/**
 * Mean and scale of the pixels of each patch.
 *
 * @param frames  uint8 (T, H, W, 3)
 * @param tokens  the tokens to measure; all N of them unless given
 */
export function patchStatistics(frames: Uint8Array, grid: PatchGrid, tokens?: ArrayLike<number>): PatchStatistics {
  checkFrames("patchStatistics", frames, grid);
  const count = tokenCount(grid);
  const statistics = { mean: new Float32Array(count * 3), scale: new Float32Array(count * 3) };
  const asked = tokens ?? Array.from({ length: count }, (_, n) => n);
  checkTokens("patchStatistics", asked, count);
  const columns = patchColumns(grid);
  const pixels = columns.length / 3;
  for (let r = 0; r < asked.length; r++) {
    const origin = patchOrigin(grid, asked[r]);
    for (let c = 0; c < 3; c++) {
      let sum = 0;
      for (let k = c; k < columns.length; k += 3) sum += frames[origin + columns[k]];
      const mean = sum / pixels;
      let squares = 0;
      for (let k = c; k < columns.length; k += 3) squares += (frames[origin + columns[k]] - mean) ** 2;
      statistics.mean[asked[r] * 3 + c] = mean / 255;
      statistics.scale[asked[r] * 3 + c] = Math.sqrt(squares / (pixels - 1)) / 255 + 1e-6;
    }
  }
  return statistics;
}

/**
 * Statistics of every patch from the visible ones alone: a visible patch has its own, a hidden one the mean over the
 * visible patches of its slice, weighted by 1 / squared distance. A slice that is hidden as a whole takes the visible
 * patches of the nearest slice that has some (the earlier one of two).
 *
 * @param frames  uint8 (T, H, W, 3); hidden pixels are not read
 * @param visible  the tokens that the encoder saw, at least one
 */
export function visibleStatistics(frames: Uint8Array, grid: PatchGrid, visible: ArrayLike<number>): PatchStatistics {
  if (visible.length === 0) {
    throw new VideomaeError({
      op: "visibleStatistics",
      expected: "at least one visible token",
      got: "none",
      hint: "use the statistics of the patches themselves (patchStatistics)",
    });
  }
  const { mean, scale } = patchStatistics(frames, grid, visible);
  const slice = grid.h * grid.w;
  const seen = new Uint8Array(tokenCount(grid));
  const seenOfSlice: number[][] = Array.from({ length: grid.t }, () => []);
  for (let i = 0; i < visible.length; i++) {
    seen[visible[i]] = 1;
    seenOfSlice[Math.floor(visible[i] / slice)].push(visible[i]);
  }
  for (let n = 0; n < seen.length; n++) {
    if (seen[n]) continue;
    const sources = nearestSeen(seenOfSlice, Math.floor(n / slice));
    let total = 0;
    const sums = [0, 0, 0, 0, 0, 0];
    for (const source of sources) {
      const dy = Math.floor((n % slice) / grid.w) - Math.floor((source % slice) / grid.w);
      const dx = (n % grid.w) - (source % grid.w);
      // The same place in another slice has distance 0; it counts like a neighbour.
      const weight = 1 / Math.max(1, dy * dy + dx * dx);
      total += weight;
      for (let c = 0; c < 3; c++) {
        sums[c] += weight * mean[source * 3 + c];
        sums[3 + c] += weight * scale[source * 3 + c];
      }
    }
    for (let c = 0; c < 3; c++) {
      mean[n * 3 + c] = sums[c] / total;
      scale[n * 3 + c] = sums[3 + c] / total;
    }
  }
  return { mean, scale };
}

/**
 * A copy of the frames with predicted patches pasted over the given tokens, rounded and clipped to [0, 255].
 *
 * @param frames  uint8 (T, H, W, 3), unchanged
 * @param tokens  (R) the tokens predicted
 * @param patches  (R, tubelet * p * p * 3), the model's output for them
 * @param statistics  what to undo; `undefined` when the model predicts plain pixels in [0, 1]
 */
export function paintTokens(
  frames: Uint8Array,
  grid: PatchGrid,
  tokens: ArrayLike<number>,
  patches: ArrayLike<number>,
  statistics: PatchStatistics | undefined,
): Uint8Array {
  checkFrames("paintTokens", frames, grid);
  checkTokens("paintTokens", tokens, tokenCount(grid));
  const columns = patchColumns(grid);
  if (patches.length !== tokens.length * columns.length) {
    throw new VideomaeError({
      op: "paintTokens",
      expected: `patches [${tokens.length}, ${columns.length}], ${tokens.length * columns.length} numbers`,
      got: `${patches.length} numbers`,
      hint: "a row holds tubelet * patch * patch * 3 values of one token",
    });
  }
  const painted = Uint8ClampedArray.from(frames); // rounds and clips
  for (let r = 0; r < tokens.length; r++) {
    const origin = patchOrigin(grid, tokens[r]);
    for (let k = 0; k < columns.length; k++) {
      const at = tokens[r] * 3 + (k % 3);
      const value = patches[r * columns.length + k];
      const pixel = statistics ? value * statistics.scale[at] + statistics.mean[at] : value;
      painted[origin + columns[k]] = pixel * 255;
    }
  }
  return new Uint8Array(painted.buffer);
}

/**
 * A copy of the frames in which every patch that is not visible is grey under a faint diagonal hatch, so that it is not
 * mistaken for a grey part of the video.
 */
export function maskFrames(
  frames: Uint8Array,
  grid: PatchGrid,
  visible: ArrayLike<number>,
  { grey = 124 }: { grey?: number } = {},
): Uint8Array {
  checkFrames("maskFrames", frames, grid);
  const count = tokenCount(grid);
  checkTokens("maskFrames", visible, count);
  const seen = new Uint8Array(count);
  for (let i = 0; i < visible.length; i++) seen[visible[i]] = 1;
  const height = grid.h * grid.patch;
  const width = grid.w * grid.patch;
  const period = Math.max(3, Math.round(grid.patch / 2));
  const masked = new Uint8Array(frames); // not slice(): a Buffer's shares its memory
  for (let t = 0; t < grid.t * grid.tubelet; t++) {
    for (let y = 0; y < height; y++) {
      const row = (Math.floor(t / grid.tubelet) * grid.h + Math.floor(y / grid.patch)) * grid.w;
      for (let x = 0; x < width; x++) {
        if (seen[row + Math.floor(x / grid.patch)]) continue;
        const at = ((t * height + y) * width + x) * 3;
        masked.fill((x + y) % period === 0 ? grey - 14 : grey, at, at + 3);
      }
    }
  }
  return masked;
}

/** Offset of a token's first pixel value in the frames. */
function patchOrigin({ h, w, patch, tubelet }: PatchGrid, token: number): number {
  const x = token % w;
  const y = Math.floor(token / w) % h;
  const t = Math.floor(token / (w * h));
  return ((t * tubelet * h * patch + y * patch) * w * patch + x * patch) * 3;
}

/** (tubelet * p * p * 3) Offset of every column of a patch from the patch's first pixel value. */
function patchColumns({ h, w, patch, tubelet }: PatchGrid): Int32Array {
  const width = w * patch;
  const columns = new Int32Array(tubelet * patch * patch * 3);
  let k = 0;
  for (let dt = 0; dt < tubelet; dt++) {
    for (let dy = 0; dy < patch; dy++) {
      for (let dx = 0; dx < patch; dx++) {
        for (let c = 0; c < 3; c++) columns[k++] = ((dt * h * patch + dy) * width + dx) * 3 + c;
      }
    }
  }
  return columns;
}

/** The visible tokens of the slice, or of the nearest slice that has some. */
function nearestSeen(seenOfSlice: readonly number[][], slice: number): readonly number[] {
  for (let distance = 0; distance < seenOfSlice.length; distance++) {
    for (const near of [slice - distance, slice + distance]) {
      if (seenOfSlice[near]?.length) return seenOfSlice[near];
    }
  }
  return [];
}

function checkFrames(op: string, frames: Uint8Array, grid: PatchGrid): void {
  const { patch, tubelet } = grid;
  const wanted = tokenCount(grid) * tubelet * patch * patch * 3;
  if (frames.length === wanted && wanted > 0) return;
  const shape = [grid.t * tubelet, grid.h * patch, grid.w * patch, 3];
  throw new VideomaeError({
    op,
    expected: `frames uint8[${shape.join(", ")}], ${wanted} bytes`,
    got: `${frames.length} bytes`,
    hint: "the grid is t = frames / tubelet, h = w = side / patch",
  });
}

function checkTokens(op: string, tokens: ArrayLike<number>, count: number): void {
  for (let i = 0; i < tokens.length; i++) {
    if (Number.isInteger(tokens[i]) && tokens[i] >= 0 && tokens[i] < count) continue;
    throw new VideomaeError({
      op,
      expected: `token numbers in [0, ${count})`,
      got: `${tokens[i]} at place ${i}`,
      hint: "give the numbers of the tokens, not a mask of zeros and ones as long as the grid",
    });
  }
}
