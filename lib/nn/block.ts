// A pre-norm transformer block (spec 1.4): x + DP(g1 * Attention(LN(x))), then x + DP(g2 * MLP(LN(x))). Without layer
// scale and drop path, both additions happen inside the projection that makes the branch.
import { add, mul } from "../ops/binary.js";
import { cast } from "../ops/cast.js";
import { dropPath } from "../ops/dropout.js";
import { scope } from "../tensor/scope.js";
import { keep, type Tensor } from "../tensor/tensor.js";
import { Attention } from "./attention.js";
import { constant, type Initializer } from "./initializers.js";
import { LayerNorm } from "./layer-norm.js";
import { Mlp } from "./mlp.js";
import { Module, type Parameter } from "./module.js";

/** The sizes and switches of a `Block`. */
export interface BlockOptions {
  readonly width: number;
  readonly heads: number;
  /** Hidden width of the MLP. */
  readonly hidden: number;
  readonly qkvBias: boolean;
  readonly cosineAttention: boolean;
  /** Initial layer scale; 0: none. */
  readonly layerScale: number;
  /** Epsilon of both layer norms; 1e-6 by default. */
  readonly normEps?: number;
  /** Probability of dropping a branch, per clip. */
  readonly dropPath: number;
  /** The module's place in the model: random ops are keyed by it. */
  readonly path: string;
  /** How the weights of its linear layers begin; Xavier-uniform by default. */
  readonly weight?: Initializer;
}

export class Block extends Module {
  readonly gamma1: Parameter | undefined;
  readonly gamma2: Parameter | undefined;
  readonly norm1: LayerNorm;
  readonly attn: Attention;
  readonly norm2: LayerNorm;
  readonly mlp: Mlp;
  readonly #dropPath: number;
  readonly #path: string;

  constructor(options: BlockOptions) {
    super();
    const { width, heads, hidden, qkvBias, layerScale, normEps, weight } = options;
    this.gamma1 = layerScale > 0 ? this.parameter("gamma_1", [width], constant(layerScale)) : undefined;
    this.gamma2 = layerScale > 0 ? this.parameter("gamma_2", [width], constant(layerScale)) : undefined;
    this.norm1 = this.child("norm1", new LayerNorm(width, normEps));
    const attention = { qkvBias, cosine: options.cosineAttention, weight };
    this.attn = this.child("attn", new Attention(width, heads, attention));
    this.norm2 = this.child("norm2", new LayerNorm(width, normEps));
    this.mlp = this.child("mlp", new Mlp(width, hidden, weight));
    this.#dropPath = options.dropPath;
    this.#path = options.path;
  }

  /** (B, N, D) -> (B, N, D) */
  forward(x0BND: Tensor): Tensor {
    return scope(() => {
      const fork1 = this.norm1.fork(x0BND);
      const x1 = this.#addBranch(fork1.sum, this.gamma1, "attn", (residual) => this.attn.forward(fork1.y, residual));
      const fork2 = this.norm2.fork(x1);
      const x2 = this.#addBranch(fork2.sum, this.gamma2, "mlp", (residual) => this.mlp.forward(fork2.y, residual));
      return keep(x2);
    });
  }

  #addBranch(
    x: Tensor,
    gamma: Parameter | undefined,
    name: string,
    branch: (residual: Tensor | undefined) => Tensor,
  ): Tensor {
    const dropped = this.training && this.#dropPath > 0;
    if (gamma === undefined && !dropped) return branch(x);
    let y = branch(undefined);
    if (gamma !== undefined) y = mul(y, y.dtype === "bf16" ? cast(gamma.value, y.dtype) : gamma.value);
    if (dropped) y = dropPath(y, this.#dropPath, { path: `${this.#path}.${name}` });
    return add(x, y);
  }
}
