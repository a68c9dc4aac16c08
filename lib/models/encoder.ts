// The encoder: embeds and processes visible tokens only (spec 1.5).
import { checkpoint } from "../autograd/checkpoint.js";
import { Block } from "../nn/block.js";
import { LayerNorm } from "../nn/layer-norm.js";
import { Module } from "../nn/module.js";
import { ModuleList } from "../nn/module-list.js";
import { PatchEmbedding } from "../nn/patch-embedding.js";
import type { ClipWindow } from "../ops/embed-visible.js";
import { scope } from "../tensor/scope.js";
import { keep, type Tensor } from "../tensor/tensor.js";
import { mlpHidden, type PretrainConfig } from "./sizes.js";

/** Stochastic-depth rates: linear from 0 at the first block to `last` at the last (spec 1.4). */
export function dropPathRates(last: number, depth: number): number[] {
  return Array.from({ length: depth }, (_, i) => (depth > 1 ? (last * i) / (depth - 1) : 0));
}

/** Runs blocks in order, recomputing their activations in the backward pass when asked to. */
export function runBlocks(blocks: readonly Block[], xBND: Tensor, recompute: boolean): Tensor {
  return scope(() => {
    let x = xBND;
    for (const block of blocks) {
      x = recompute ? checkpoint((h) => block.forward(h), x) : block.forward(x);
    }
    return keep(x);
  });
}

export class Encoder extends Module {
  readonly patchEmbed: PatchEmbedding;
  readonly blocks: ModuleList<Block>;
  readonly norm: LayerNorm;
  readonly #recompute: boolean;

  constructor(config: PretrainConfig, recompute: boolean) {
    super();
    const { width, depth, heads, qkvBias, cosineAttention, layerScale, normEps } = config;
    this.#recompute = recompute;
    this.patchEmbed = this.child("patch_embed", new PatchEmbedding(width, config.tubelet, config.patch));
    const rates = dropPathRates(config.dropPath, depth);
    const shared = { width, heads, hidden: mlpHidden(config), qkvBias, cosineAttention, layerScale, normEps };
    const blocks = rates.map((dropPath, i) => new Block({ ...shared, dropPath, path: `encoder.blocks.${i}` }));
    this.blocks = this.child("blocks", new ModuleList(blocks));
    this.norm = this.child("norm", new LayerNorm(width, normEps));
  }

  /**
   * @param video  u8 (B, T, S, S, 3) or normalised floating (B, 3, T, S, S)
   * @param visible  i32 (B, V)
   * @param position  (N, D)
   * @param window  what of each video is the clip; by default all
   * @returns (B, V, D)
   */
  forward(video: Tensor, visible: Tensor, position: Tensor, window?: ClipWindow): Tensor {
    return scope(() => {
      const embedded = this.patchEmbed.forward(video, visible, position, window);
      return keep(this.norm.forward(runBlocks(this.blocks.items, embedded, this.#recompute)));
    });
  }
}
