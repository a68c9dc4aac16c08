// The two-layer perceptron of a block: linear, exact GELU, linear (spec 1.4).
import { mlp } from "../ops/mlp.js";
import type { Tensor } from "../tensor/tensor.js";
import type { Initializer } from "./initializers.js";
import { Linear } from "./linear.js";
import { Module } from "./module.js";

export class Mlp extends Module {
  readonly fc1: Linear;
  readonly fc2: Linear;

  constructor(width: number, hidden: number, weight?: Initializer) {
    super();
    this.fc1 = this.child("fc1", new Linear(width, hidden, { weight }));
    this.fc2 = this.child("fc2", new Linear(hidden, width, { weight }));
  }

  /** (..., D) -> (..., D); `residual` (..., D) is added by the second layer. */
  forward(x: Tensor, residual?: Tensor): Tensor {
    return mlp(x, this.fc1.operands, this.fc2.operands, residual);
  }
}
