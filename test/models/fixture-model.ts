// A pre-training model as a fixture describes it, with the fixture's formula weights.

import { type ModelOptions, type PretrainModel, pretrainModel } from "#lib/models/pretrain.js";
import type { PretrainConfig } from "#lib/models/sizes.js";
import type { RealType } from "#lib/nn/module.js";
import { Tensor } from "#lib/tensor/tensor.js";
import { formulaParameter } from "../fixtures.js";

interface FixtureConfig {
  readonly img: number;
  readonly patch: number;
  readonly frames: number;
  readonly dim: number;
  readonly depth: number;
  readonly heads: number;
  readonly dec_dim: number;
  readonly dec_depth: number;
  readonly dec_heads: number;
  readonly seed: number;
  readonly mlp_ratio?: number;
  readonly cos_attn?: boolean;
  readonly init_values?: number;
  readonly qkv_bias?: boolean;
  readonly normalise_target?: boolean;
}

/** The model; hold it by `using`. */
export function fixtureModel(
  config: FixtureConfig,
  dtype: RealType = "f32",
  options: ModelOptions = {},
): PretrainModel {
  const size: Partial<PretrainConfig> = {
    image: config.img,
    patch: config.patch,
    frames: config.frames,
    width: config.dim,
    depth: config.depth,
    heads: config.heads,
    decoderWidth: config.dec_dim,
    decoderDepth: config.dec_depth,
    decoderHeads: config.dec_heads,
    mlpRatio: config.mlp_ratio ?? 4,
    cosineAttention: config.cos_attn ?? false,
    layerScale: config.init_values ?? 0,
    qkvBias: config.qkv_bias ?? true,
    normalizeTarget: config.normalise_target ?? true,
  };
  const model = pretrainModel(size, { ...options, dtype });
  model.load(
    new Map(
      model
        .namedParameters()
        .map(([name, { shape }]) => [name, { shape, data: formulaParameter(config.seed, name, shape) }]),
    ),
  );
  return model;
}

/** Index lists i32 (B, count) of a mask's zeros, row-major mask (B, N). */
export function keptTokens(mask: ArrayLike<number>, clips: number): Tensor {
  const tokens = mask.length / clips;
  const kept = Array.from(mask).flatMap((bit, i) => (bit === 0 ? [i % tokens] : []));
  return Tensor.fromArray(Int32Array.from(kept), [clips, kept.length / clips]);
}
