// The linear layer.
import { type LinearOptions, linear } from "../ops/linear.js";
import type { MlpLayer } from "../ops/mlp.js";
import type { Tensor } from "../tensor/tensor.js";
import { type Initializer, xavierUniform, zeros } from "./initializers.js";
import { Module, type Parameter } from "./module.js";

export class Linear extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter | undefined;

  /** @param options.wide  computes in f32 in a bf16 model too: for the few rows on which scores or losses depend */
  constructor(inputs: number, outputs: number, options: { bias?: boolean; weight?: Initializer; wide?: boolean } = {}) {
    super();
    const matrix = options.wide !== true;
    this.weight = this.parameter("weight", [outputs, inputs], options.weight ?? xavierUniform, { matrix });
    this.bias = options.bias === false ? undefined : this.parameter("bias", [outputs], zeros);
  }

  /** What a product reads of the layer. */
  get operands(): MlpLayer {
    return { weight: this.weight.operand, packed: this.weight.packed, bias: this.bias?.value };
  }

  /** (..., I) -> (..., O) */
  forward(x: Tensor, options: Pick<LinearOptions, "residual" | "gelu"> = {}): Tensor {
    const { weight, ...operands } = this.operands;
    return linear(x, weight, { ...options, ...operands });
  }
}
