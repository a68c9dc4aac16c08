// Patch embedding of the visible tokens only: masked pixels are never read.
import { defineOp } from "../autograd/define-op.js";
import { nativeOp, unneeded } from "../tensor/native-op.js";
import type { Tensor } from "../tensor/tensor.js";

/** The part of each video of a batch that is the clip: pixels are read through it, so nothing is cropped or copied. */
export interface ClipWindow {
  /** i32 (B, 3): the first row and the first column of the window, and 1 where it is mirrored left to right, else 0. */
  readonly window?: Tensor;
  /** Rows and columns of the window. */
  readonly side?: number;
}

/** The windows of a model's inputs, which are squares of `side` pixels; none where `window` is undefined. */
export function windowOf(window: Tensor | undefined, side: number): ClipWindow {
  return window === undefined ? {} : { window, side };
}

/**
 * Embeds the visible tokens of clips (spec 1.3) and adds their rows of the positional table.
 * @param video  u8 (B, T, H, W, 3) as decoded, normalised here by the ImageNet statistics; or floating (B, 3, T, H, W),
 *   normalised already
 * @param visible  i32 (B, V) token indices
 * @param weight  (D, 3, tubelet, patch, patch)
 * @param bias  (D)
 * @param position  (N, D), no gradient
 * @param options  windows, where the clips are not the whole videos; N is then the window's number of tokens
 * @returns (B, V, D)
 * @throws VideomaeError for shapes and indices that do not fit, and for a window outside its video; of indices and windows on
 *   a device, the next read says so
 */
export const embedVisible: (
  video: Tensor,
  visible: Tensor,
  weight: Tensor,
  bias: Tensor,
  position: Tensor,
  options?: ClipWindow,
) => Tensor = defineOp("embedVisible", (save, video, visible, weight, bias, position, { window, side } = {}) => {
  const { y, patches } = nativeOp("embedVisible", { video, visible, weight, bias, position, window, side });
  const [width, , tubelet, patch] = weight.shape;
  const columns = weight.size / width;
  const saved = save({ video, visible, weight, patches, window });
  return [
    y,
    (gradY, needs, into) => {
      const { video, visible, weight, patches, window } = saved();
      const flat = {
        gradY: gradY.view([patches.shape[0], width]),
        x: patches,
        weight: weight.view([width, columns]),
        gradWeight: into(2)?.view([width, columns]),
        gradBias: into(3),
      };
      const wanted = { gradX: needs[0], gradWeight: needs[2], gradBias: needs[3] };
      const { gradX, gradWeight, gradBias } = nativeOp("linearBackward", flat, unneeded(wanted));
      const gradVideo = needs[0]
        ? nativeOp("embedVisibleVideoGrad", { gradPatches: gradX, visible, video, tubelet, patch, window, side })
            .gradVideo
        : undefined;
      return [gradVideo, undefined, gradWeight?.view(weight.shape), gradBias, undefined];
    },
  ];
});
