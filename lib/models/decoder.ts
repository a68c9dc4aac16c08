// The decoder: a few narrow blocks over visible and mask tokens, and a head on the rows to reconstruct (spec 1.5).
import { Block } from "../nn/block.js";
import { LayerNorm } from "../nn/layer-norm.js";
import { Linear } from "../nn/linear.js";
import { Module } from "../nn/module.js";
import { ModuleList } from "../nn/module-list.js";
import { slice } from "../ops/slice.js";
import { scope } from "../tensor/scope.js";
import { keep, type Tensor } from "../tensor/tensor.js";
import { dropPathRates, runBlocks } from "./encoder.js";
import { decoderMlpHidden, type PretrainConfig, patchValues } from "./sizes.js";

export class Decoder extends Module {
  readonly blocks: ModuleList<Block>;
  readonly norm: LayerNorm;
  readonly head: Linear;
  readonly #recompute: boolean;

  constructor(config: PretrainConfig, recompute: boolean) {
    super();
    const {
      decoderWidth: width,
      decoderDepth,
      decoderHeads: heads,
      qkvBias,
      cosineAttention,
      layerScale,
      normEps,
    } = config;
    this.#recompute = recompute;
    const rates = dropPathRates(config.dropPath, decoderDepth);
    const shared = { width, heads, hidden: decoderMlpHidden(config), qkvBias, cosineAttention, layerScale, normEps };
    const blocks = rates.map((dropPath, i) => new Block({ ...shared, dropPath, path: `decoder.blocks.${i}` }));
    this.blocks = this.child("blocks", new ModuleList(blocks));
    this.norm = this.child("norm", new LayerNorm(width, config.decoderNormEps));
    this.head = this.child("head", new Linear(width, patchValues(config)));
  }

  /**
   * @param x  (B, V + R, D) the assembled sequence
   * @param decoded  R: the head sees the last R rows only
   * @returns (B, R, 3·tubelet·patch²)
   */
  forward(x: Tensor, decoded: number): Tensor {
    return scope(() => {
      const y = runBlocks(this.blocks.items, x, this.#recompute);
      const tail = slice(y, 1, y.shape[1] - decoded, decoded);
      return keep(this.head.forward(this.norm.forward(tail)));
    });
  }
}
