// Cube embedding (spec 1.3): a convolution whose kernel equals its stride, done as one product over visible tokens.
import { type ClipWindow, embedVisible } from "../ops/embed-visible.js";
import type { Tensor } from "../tensor/tensor.js";
import { type Initializer, uniform } from "./initializers.js";
import { Module, type Parameter } from "./module.js";

/** The convolution inside the embedding; it only holds the parameters under their published names. */
export class Projection extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter;

  constructor(width: number, tubelet: number, patch: number) {
    super();
    const initialize: Initializer = uniform(1 / Math.sqrt(3 * tubelet * patch * patch));
    this.weight = this.parameter("weight", [width, 3, tubelet, patch, patch], initialize, { matrix: true });
    this.bias = this.parameter("bias", [width], initialize);
  }
}

export class PatchEmbedding extends Module {
  readonly proj: Projection;

  constructor(width: number, tubelet: number, patch: number) {
    super();
    this.proj = this.child("proj", new Projection(width, tubelet, patch));
  }

  /**
   * @param video  u8 (B, T, S, S, 3) or normalised floating (B, 3, T, S, S)
   * @param visible  i32 (B, V)
   * @param position  (N, D)
   * @param window  what of each video is the clip; by default all
   * @returns (B, V, D)
   */
  forward(video: Tensor, visible: Tensor, position: Tensor, window?: ClipWindow): Tensor {
    return embedVisible(video, visible, this.proj.weight.operand, this.proj.bias.value, position, window);
  }
}
