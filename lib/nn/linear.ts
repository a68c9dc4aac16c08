// The linear layer.
import { type LinearOptions, linear } from "../ops/linear.js";
import type { Tensor } from "../tensor/tensor.js";
import { type Initializer, xavierUniform, zeros } from "./initializers.js";
import { Module, type Parameter } from "./module.js";

export class Linear extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter | undefined;

  constructor(inputs: number, outputs: number, options: { bias?: boolean; weight?: Initializer } = {}) {
    super();
    this.weight = this.parameter("weight", [outputs, inputs], options.weight ?? xavierUniform, { matrix: true });
    this.bias = options.bias === false ? undefined : this.parameter("bias", [outputs], zeros);
  }

  /** (..., I) -> (..., O) */
  forward(x: Tensor, options: Pick<LinearOptions, "residual" | "gelu"> = {}): Tensor {
    return linear(x, this.weight.operand, { ...options, bias: this.bias?.value });
  }
}
