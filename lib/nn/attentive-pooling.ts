// Attentive pooling: one learnt query looks at all tokens (Bardes et al. 2024, V-JEPA, section 4; after Lee et al. 2019, "Set
// transformer"). Cross-attention to the normalised tokens and an MLP, each around a residual:
//   p = query + softmax((W_q query) (W_k n(x))^T / sqrt(K)) W_v n(x) by head          p + MLP(norm2(p))
import { add, mul } from "../ops/binary.js";
import { matmul } from "../ops/matmul.js";
import { permute } from "../ops/permute.js";
import { reshape } from "../ops/reshape.js";
import { slice } from "../ops/slice.js";
import { softmax } from "../ops/softmax.js";
import { scope } from "../tensor/scope.js";
import { keep, type Tensor } from "../tensor/tensor.js";
import { truncatedNormal } from "./initializers.js";
import { LayerNorm } from "./layer-norm.js";
import { Linear } from "./linear.js";
import { Mlp } from "./mlp.js";
import { Module, type Parameter } from "./module.js";

/** Published models of this kind begin at N(0, 0.02). */
const weight = truncatedNormal(0.02, 2);

export class AttentivePooling extends Module {
  readonly heads: number;
  /** (1, D) */
  readonly query: Parameter;
  readonly norm1: LayerNorm;
  readonly q: Linear;
  readonly kv: Linear;
  readonly norm2: LayerNorm;
  readonly mlp: Mlp;

  /** @param heads  divides the width */
  constructor(width: number, heads: number, hidden: number) {
    super();
    this.heads = heads;
    this.query = this.parameter("query", [1, width], weight);
    this.norm1 = this.child("norm1", new LayerNorm(width));
    this.q = this.child("q", new Linear(width, width, { weight }));
    this.kv = this.child("kv", new Linear(width, 2 * width, { weight }));
    this.norm2 = this.child("norm2", new LayerNorm(width));
    this.mlp = this.child("mlp", new Mlp(width, hidden, weight));
  }

  /** (B, N, D) -> (B, D), f32 or f64 */
  forward(xBND: Tensor): Tensor {
    return scope(() => {
      const [clips, tokens, width] = xBND.shape;
      const lanes = width / this.heads; // K
      const query = this.query.value;
      const q = reshape(this.q.forward(query), [1, this.heads, 1, lanes]);
      const kv = reshape(this.kv.forward(this.norm1.forward(xBND)), [clips, tokens, 2, this.heads, lanes]);
      const [k, v] = [0, 1].map((which) => this.#heads(slice(kv, 2, which, 1))); // (B, H, N, K)
      const scores = mul(matmul(q, k, { transposeB: true }), lanes ** -0.5); // (B, H, 1, N)
      const pooled = add(query, reshape(matmul(softmax(scores), v), [clips, width])); // heads side by side
      return keep(this.mlp.forward(this.norm2.forward(pooled), pooled));
    });
  }

  /** (B, N, 1, H, K) -> (B, H, N, K) */
  #heads(x: Tensor): Tensor {
    const [clips, tokens, , heads, lanes] = x.shape;
    return permute(reshape(x, [clips, tokens, heads, lanes]), [0, 2, 1, 3]);
  }
}
