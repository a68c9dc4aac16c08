// Dual masking (spec 2.4 to 2.6): the encoder sees only the tokens its mask leaves, the decoder reconstructs only the
// tokens its own, independent mask leaves. With decoder kind "none" every hidden token is reconstructed (VideoMAE V1).
//
// Masks of a clip are a pure function of (seed, epoch, place, view): whatever the workers, the order or a restart, the
// same clip gets the same masks. Only indices leave this file; all clips of a batch have equally many of them, as every
// kind masks a constant number of tokens. Cost: two shuffles a clip, about 0.1 ms for 1568 tokens.

import { rejectUnknownOptions, VideomaeError } from "../errors.js";
import { RandomStream } from "../random.js";
import { Tensor } from "../tensor/tensor.js";
import { checkMaskSpec, countMasked, drawMask, keptPerPosition, keptPerSlice, type MaskSpec } from "./mask-kind.js";
import { type TokenGrid, tokenCount } from "./token-grid.js";

/** The decoder's mask; `none` reconstructs every token hidden from the encoder. */
export type DecoderMaskSpec = MaskSpec | { readonly kind: "none" };

/** Which masks `dualMask` draws. */
export interface DualMaskOptions {
  readonly encoder: MaskSpec;
  readonly decoder: DecoderMaskSpec;
  /** The run's seed, default 0. */
  readonly seed?: number;
  /** Tokens of a clip, default 8 x 14 x 14 (16 frames of 224 x 224, tubelet 2, patch 16). */
  readonly grid?: TokenGrid;
}

/** Which clip of which epoch: what its masks are drawn from. */
export interface ClipKey {
  readonly epoch: number;
  /** The sample's place in the epoch's global order. */
  readonly place: number;
  /** The number of the view when a video is sampled more than once. */
  readonly view: number;
}

/** Token indices of a batch, ascending within each clip. */
export interface MaskIndices {
  /** Tokens the encoder sees, row-major (B, V). */
  readonly visible: Int32Array;
  readonly visibleShape: readonly [clips: number, visible: number];
  /** Tokens the decoder reconstructs, row-major (B, R). */
  readonly decoded: Int32Array;
  readonly decodedShape: readonly [clips: number, decoded: number];
}

/** The same as tensors: i32 (B, V) and i32 (B, R), owned like any result. */
export interface MaskBatch {
  readonly visible: Tensor;
  readonly decoded: Tensor;
}

/** Tokens of one clip. */
export interface MaskCounts {
  /** N, all tokens. */
  readonly tokens: number;
  /** V, tokens the encoder sees. */
  readonly visible: number;
  /** R, tokens the decoder reconstructs. */
  readonly decoded: number;
  /** Reconstructed tokens that are hidden from the encoder, where every clip has equally many; else undefined. */
  readonly lossTokens: number | undefined;
}

/** The two masks of pre-training, as a function of the keys of clips. `dualMask` makes one. */
export interface DualMask {
  readonly grid: TokenGrid;
  readonly counts: MaskCounts;
  /** The masks of a batch, one clip a key. */
  sample(batch: { readonly keys: readonly ClipKey[] }): MaskBatch;
  /** The same as plain index lists. */
  indices(batch: { readonly keys: readonly ClipKey[] }): MaskIndices;
  /** The same masks on another grid, e.g. `masks.on(tokenGrid(config))`. */
  on(grid: TokenGrid): DualMask;
}

const OP = "dualMask";
const REDRAWS = 64;

/**
 * Masks of encoder and decoder.
 *
 * @throws VideomaeError for unknown kinds, ratios outside [0, 1), and masks that leave nothing to see or reconstruct.
 */
export function dualMask(options: DualMaskOptions): DualMask {
  rejectUnknownOptions(OP, options, ["encoder", "decoder", "seed", "grid"]);
  const { encoder, decoder, seed = 0, grid = { t: 8, h: 14, w: 14 } } = options;
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new VideomaeError({ op: `${OP} seed`, expected: "an integer from 0 on", got: String(seed) });
  }
  const counts = countTokens(grid, encoder, decoder);

  function sample(batch: { readonly keys: readonly ClipKey[] }): MaskBatch {
    const { visible, visibleShape, decoded, decodedShape } = indices(batch);
    return { visible: Tensor.fromArray(visible, visibleShape), decoded: Tensor.fromArray(decoded, decodedShape) };
  }

  function indices({ keys }: { readonly keys: readonly ClipKey[] }): MaskIndices {
    const visible = new Int32Array(keys.length * counts.visible);
    const decoded = new Int32Array(keys.length * counts.decoded);
    keys.forEach((key, b) => {
      const place = [key.epoch, key.place, key.view];
      const hidden = drawMask(grid, encoder, new RandomStream(seed, "mask.encoder", place)); // (N)
      writeZeros(hidden, visible, b * counts.visible);
      if (decoder.kind === "none") writeZeros(complement(hidden), decoded, b * counts.decoded);
      else writeZeros(drawDecoder(hidden, decoder, seed, place), decoded, b * counts.decoded);
    });
    const clips = keys.length;
    return { visible, visibleShape: [clips, counts.visible], decoded, decodedShape: [clips, counts.decoded] };
  }

  // A decoder mask that leaves only visible tokens would give a clip no loss. It cannot happen to tube + running cell;
  // for other pairs the mask is drawn again from the same stream, so it stays a function of the key.
  function drawDecoder(hidden: Uint8Array, spec: MaskSpec, seed: number, place: readonly number[]): Uint8Array {
    const stream = new RandomStream(seed, "mask.decoder", place);
    for (let attempt = 0; attempt < REDRAWS; attempt++) {
      const mask = drawMask(grid, spec, stream); // (N)
      if (mask.some((bit, n) => bit === 0 && hidden[n] === 1)) return mask;
    }
    throw new VideomaeError({
      op: OP,
      expected: "a decoder mask that leaves a token hidden from the encoder",
      got: `none in ${REDRAWS} draws of ${describe(spec)} against encoder ${describe(encoder)}`,
      hint: "raise the encoder's ratio or lower the decoder's",
    });
  }

  return { grid, counts, sample, indices, on: (other) => dualMask({ encoder, decoder, seed, grid: other }) };
}

/** Masks that never change, for evaluation and pictures: clip i has the key `{ epoch: 0, place: i, view: 0 }`. */
export function fixedMasks(masks: DualMask, clips: number): MaskIndices {
  return masks.indices({ keys: Array.from({ length: clips }, (_, place) => ({ epoch: 0, place, view: 0 })) });
}

function countTokens(grid: TokenGrid, encoder: MaskSpec, decoder: DecoderMaskSpec): MaskCounts {
  const tokens = tokenCount(grid);
  checkMaskSpec(`${OP} encoder`, encoder);
  const hidden = countMasked(grid, encoder);
  requireTokens(tokens - hidden, "visible token", encoder, grid, "lower the encoder's ratio");
  requireTokens(hidden, "hidden token", encoder, grid, "raise the encoder's ratio");
  if (decoder.kind === "none") {
    rejectUnknownOptions(`${OP} decoder`, decoder, ["kind"]);
    return { tokens, visible: tokens - hidden, decoded: hidden, lossTokens: hidden };
  }
  checkMaskSpec(`${OP} decoder`, decoder, ["none"]);
  const decoded = tokens - countMasked(grid, decoder);
  requireTokens(decoded, "decoded token", decoder, grid, "lower the decoder's ratio");
  return { tokens, visible: tokens - hidden, decoded, lossTokens: lossTokens(grid, encoder, decoder, hidden) };
}

/** Decoded and hidden: constant where the decoder keeps equally much of every tube or of every slice that is hidden. */
function lossTokens(grid: TokenGrid, encoder: MaskSpec, decoder: MaskSpec, hidden: number): number | undefined {
  if (encoder.kind === "tube") {
    const kept = keptPerPosition(grid, decoder);
    return kept === undefined ? undefined : kept * (hidden / grid.t);
  }
  if (encoder.kind === "frame") {
    const kept = keptPerSlice(grid, decoder);
    return kept === undefined ? undefined : kept * (hidden / (grid.h * grid.w));
  }
  return undefined;
}

function requireTokens(count: number, what: string, spec: MaskSpec, grid: TokenGrid, hint: string): void {
  if (count > 0) return;
  throw new VideomaeError({
    op: OP,
    expected: `at least one ${what}`,
    got: `0 with ${describe(spec)} on a grid of ${grid.t} x ${grid.h} x ${grid.w}`,
    hint,
  });
}

function describe({ kind, ratio }: MaskSpec): string {
  return `${kind} ${ratio}`;
}

function complement(mask: Uint8Array): Uint8Array {
  return mask.map((bit) => 1 - bit);
}

/** Writes the ascending indices of the zeros of `mask` to `out` from `offset` on. */
function writeZeros(mask: Uint8Array, out: Int32Array, offset: number): void {
  let next = offset;
  for (let n = 0; n < mask.length; n++) if (mask[n] === 0) out[next++] = n;
}
