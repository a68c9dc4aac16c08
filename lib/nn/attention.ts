// Multi-head self-attention (spec 1.4). The key has no bias: its part of the packed bias is zero and is no parameter.
import { attention } from "../ops/attention.js";
import { minimum } from "../ops/binary.js";
import { cat } from "../ops/cat.js";
import { linear } from "../ops/linear.js";
import { reshape } from "../ops/reshape.js";
import { exp } from "../ops/unary.js";
import { Tensor } from "../tensor/tensor.js";
import { constant, type Initializer, zeros } from "./initializers.js";
import { Linear } from "./linear.js";
import { Module, type Parameter } from "./module.js";

/** The logit scale of cosine attention begins at 10 and never exceeds 100. */
const initialLogScale = Math.log(10);
export const MAXIMAL_LOG_SCALE = 4.6052;

export class Attention extends Module {
  readonly heads: number;
  readonly logScale: Parameter | undefined;
  readonly queryBias: Parameter | undefined;
  readonly valueBias: Parameter | undefined;
  readonly qkv: Linear;
  readonly proj: Linear;

  constructor(width: number, heads: number, options: { qkvBias: boolean; cosine: boolean; weight?: Initializer }) {
    super();
    this.heads = heads;
    this.logScale = options.cosine ? this.parameter("scale", [heads, 1, 1], constant(initialLogScale)) : undefined;
    this.queryBias = options.qkvBias ? this.parameter("q_bias", [width], zeros) : undefined;
    this.valueBias = options.qkvBias ? this.parameter("v_bias", [width], zeros) : undefined;
    this.qkv = this.child("qkv", new Linear(width, 3 * width, { bias: false, weight: options.weight }));
    this.proj = this.child("proj", new Linear(width, width, { weight: options.weight }));
  }

  /** (B, N, D) -> (B, N, D); `residual` (B, N, D) is added by the output projection. */
  forward(xBND: Tensor, residual?: Tensor): Tensor {
    const { operand, packed } = this.qkv.weight;
    const qkv = linear(xBND, operand, { packed, bias: this.#packedBias() }); // (B, N, 3D)
    return this.proj.forward(attention(qkv, this.heads, this.#logitScale()), { residual });
  }

  /** (3D): q_bias, zeros, v_bias. */
  #packedBias(): Tensor | undefined {
    if (this.queryBias === undefined || this.valueBias === undefined) return undefined;
    const query = this.queryBias.value;
    return cat([query, Tensor.zeros(query.shape, query.dtype, query.device), this.valueBias.value], 0);
  }

  /** (H) */
  #logitScale(): Tensor | undefined {
    if (this.logScale === undefined) return undefined;
    return reshape(exp(minimum(this.logScale.value, MAXIMAL_LOG_SCALE)), [this.heads]);
  }
}
