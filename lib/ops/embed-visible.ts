// Patch embedding of the visible tokens only: masked pixels are never read.
import { defineOp } from "../autograd/define-op.js";
import { nativeOp, unneeded } from "../tensor/native-op.js";
import type { Tensor } from "../tensor/tensor.js";

/**
 * Embeds the visible tokens of clips (spec 1.3) and adds their rows of the positional table.
 * @param video  u8 (B, T, H, W, 3) as decoded, normalised here by the ImageNet statistics; or floating (B, 3, T, H, W),
 *   normalised already
 * @param visible  i32 (B, V) token indices
 * @param weight  (D, 3, tubelet, patch, patch)
 * @param bias  (D)
 * @param position  (N, D), no gradient
 * @returns (B, V, D)
 */
export const embedVisible = defineOp(
  "embedVisible",
  (save, video: Tensor, visible: Tensor, weight: Tensor, bias: Tensor, position: Tensor) => {
    const { y, patches } = nativeOp("embedVisible", { video, visible, weight, bias, position });
    const [width, , tubelet, patch] = weight.shape;
    const columns = weight.size / width;
    const saved = save({ video, visible, weight, patches });
    return [
      y,
      (gradY, needs, into) => {
        const { video, visible, weight, patches } = saved();
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
          ? nativeOp("embedVisibleVideoGrad", { gradPatches: gradX, visible, video, tubelet, patch }).gradVideo
          : undefined;
        return [gradVideo, undefined, gradWeight?.view(weight.shape), gradBias, undefined];
      },
    ];
  },
);
