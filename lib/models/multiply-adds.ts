// Multiply-adds of one clip's forward pass, each multiply-add counted once (spec 10.2). A block on n tokens of width D
// with MLP hidden m takes n (4 D^2 + 2 D m) + 2 n^2 D. Norms, softmax and other element-wise work are not counted.

import { decoderMlpHidden, mlpHidden, type PretrainConfig, patchValues, tokenGrid } from "./sizes.js";

/** Tokens of one clip; `DualMask.counts` fits. */
export interface TokenCounts {
  /** V, tokens the encoder sees. */
  readonly visible: number;
  /** R, tokens the decoder reconstructs. */
  readonly decoded: number;
}

/** Multiply-adds of one clip's forward pass, by part of the model; `head` is the decoder's. */
export interface MultiplyAdds {
  readonly patchEmbed: number;
  readonly encoder: number;
  /** The projection from encoder to decoder width. */
  readonly bridge: number;
  readonly decoder: number;
  readonly head: number;
  readonly total: number;
}

/**
 * Multiply-adds of one clip's forward pass.
 *
 * @param embedded  tokens that pass the patch embedding: all of them, as the published figures count, or `counts.visible`
 *                  where only visible tokens are embedded, as this package does
 */
export function multiplyAdds(
  config: PretrainConfig,
  { visible, decoded }: TokenCounts,
  embedded: number = allTokens(config),
): MultiplyAdds {
  const { width, decoderWidth } = config;
  const patchEmbed = embedded * patchValues(config) * width;
  const encoder = config.depth * block(visible, width, mlpHidden(config));
  const bridge = visible * width * decoderWidth;
  const decoder = config.decoderDepth * block(visible + decoded, decoderWidth, decoderMlpHidden(config));
  const head = decoded * decoderWidth * patchValues(config);
  return { patchEmbed, encoder, bridge, decoder, head, total: patchEmbed + encoder + bridge + decoder + head };
}

/**
 * Floating-point operations of one clip in a training step, as rates of training are counted: two a multiply-add, and three
 * passes, because the gradient of a product takes two products of its size. Activations that are computed again
 * (`recompute`, attention's scores) are not counted again. Only visible tokens are embedded; the gradient of the pixels,
 * which is not made, is counted all the same.
 */
export function trainingFlops(config: PretrainConfig, counts: TokenCounts): number {
  return 2 * 3 * multiplyAdds(config, counts, counts.visible).total;
}

function block(tokens: number, width: number, hidden: number): number {
  return tokens * (4 * width ** 2 + 2 * width * hidden) + 2 * tokens ** 2 * width;
}

function allTokens(config: PretrainConfig): number {
  const { t, h, w } = tokenGrid(config);
  return t * h * w;
}
