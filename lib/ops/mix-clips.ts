// Mixup and CutMix of a batch with itself in reverse order (spec 4.9). Pixels have no gradient.
import { nativeOp } from "../tensor/native-op.js";
import type { Tensor } from "../tensor/tensor.js";

/**
 * Mixes each clip b with its partner, clip B - 1 - b: inside the clip's box the partner in every frame, elsewhere
 * `lambda clip + (1 - lambda) partner`, each product and the sum rounded to f32. A lambda of 1 leaves the clip as it is.
 * @param video  u8 (B, T, H, W, 3) as decoded, or f32 (B, 3, T, H, W) normalised
 * @param lambda  f32 (B)
 * @param box  i32 (B, 4): top, bottom, left and right in pixels, the second and the last beyond the box; clipped to the
 *   frame, and empty where an end is not after its beginning
 * @returns f32 (B, 3, T, H, W), normalised
 * @throws VideomaeError when shapes or dtypes do not agree
 */
export function mixClips(video: Tensor, lambda: Tensor, box: Tensor): Tensor {
  return nativeOp("mixClips", { video, lambda, box }).y;
}
