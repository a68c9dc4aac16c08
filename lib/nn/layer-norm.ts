// Layer normalisation over the last axis, epsilon 1e-6 throughout this model family.
import { addLayerNorm, layerNorm } from "../ops/layer-norm.js";
import type { Tensor } from "../tensor/tensor.js";
import { ones, zeros } from "./initializers.js";
import { Module, type Parameter } from "./module.js";

export class LayerNorm extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter;
  readonly eps: number;

  constructor(width: number, eps = 1e-6) {
    super();
    this.weight = this.parameter("weight", [width], ones);
    this.bias = this.parameter("bias", [width], zeros);
    this.eps = eps;
  }

  /** (..., D) -> (..., D) */
  forward(x: Tensor): Tensor {
    return layerNorm(x, this.weight.value, this.bias.value, { eps: this.eps });
  }

  /** The norm `y` of x, and x again as `sum`, for the branch around the norm (addLayerNorm). */
  fork(x: Tensor): { sum: Tensor; y: Tensor } {
    return addLayerNorm(x, undefined, this.weight.value, this.bias.value, { eps: this.eps });
  }
}
