// Which parameters decay, and how the learning rate falls off with depth (spec 5.3).
//
// No decay: 1-D tensors (biases, LayerNorm, layer scale), names ending in `.bias` or `.scale`, and a short skip list.
// Layer-wise decay numbers the parts of an encoder of L blocks: patch embedding 0, block i i + 1, the rest L + 1, and
// scales the learning rate of part k by decay^(L + 1 - k), so the head learns at full rate and the input slowest.

import { VideomaeError } from "../errors.js";

/** Parameters without weight decay by name. */
export const undecayed = {
  pretrain: ["pos_embed", "cls_token", "mask_token"],
  finetune: ["pos_embed", "cls_token"],
} as const;

/** Parameters that share a weight decay and a learning-rate scale. */
export interface ParameterGroup {
  /** `decay` or `no_decay`, with layer decay `layer_<id>_decay` or `layer_<id>_no_decay`. */
  readonly key: string;
  readonly names: readonly string[];
  readonly weightDecay: number;
  readonly learningRateScale: number;
}

/** Whether weight decay applies to a parameter of this name and shape. */
export function isDecayed(
  name: string,
  shape: readonly number[],
  skip: readonly string[] = undecayed.pretrain,
): boolean {
  return shape.length > 1 && !name.endsWith(".bias") && !name.endsWith(".scale") && !skip.includes(name);
}

/** The layer number of a parameter in an encoder of `depth` blocks, 0 to depth + 1; an `encoder.` prefix is ignored. */
export function layerOf(name: string, depth: number): number {
  const bare = name.startsWith("encoder.") ? name.slice("encoder.".length) : name;
  if (["cls_token", "mask_token", "pos_embed"].includes(bare) || bare.startsWith("patch_embed.")) return 0;
  const block = /^blocks\.(\d+)\./.exec(bare);
  if (!block) return depth + 1;
  const index = Number(block[1]);
  if (index < depth) return index + 1;
  throw new VideomaeError({
    op: "layerOf",
    expected: `a block below ${depth}`,
    got: name,
    hint: "depth is the number of encoder blocks",
  });
}

/** Learning-rate scales by layer number, depth + 2 of them; the last is 1. */
export function layerScales(depth: number, decay: number): number[] {
  if (!(decay > 0 && decay <= 1)) {
    throw new VideomaeError({
      op: "layerScales",
      expected: "a decay in (0, 1]",
      got: String(decay),
      hint: "0.75 is usual for ViT-B",
    });
  }
  return Array.from({ length: depth + 2 }, (_, layer) => decay ** (depth + 1 - layer));
}

export interface GroupOptions {
  readonly weightDecay: number;
  /** Names without decay, default `undecayed.pretrain`. */
  readonly skip?: readonly string[];
  /** Layer-wise learning-rate decay of an encoder of `depth` blocks; absent: every scale is 1. */
  readonly layers?: { readonly depth: number; readonly decay: number };
}

/** Groups `[name, shape]` pairs, in order of first appearance. */
export function groupParameters(
  parameters: Iterable<readonly [name: string, shape: readonly number[]]>,
  { weightDecay, skip = undecayed.pretrain, layers }: GroupOptions,
): ParameterGroup[] {
  const scales = layers ? layerScales(layers.depth, layers.decay) : undefined;
  const groups = new Map<string, ParameterGroup & { names: string[] }>();
  for (const [name, shape] of parameters) {
    const decayed = isDecayed(name, shape, skip);
    const layer = layers ? layerOf(name, layers.depth) : undefined;
    const key = `${layer === undefined ? "" : `layer_${layer}_`}${decayed ? "decay" : "no_decay"}`;
    let group = groups.get(key);
    if (!group) {
      const learningRateScale = scales && layer !== undefined ? scales[layer] : 1;
      group = { key, names: [], weightDecay: decayed ? weightDecay : 0, learningRateScale };
      groups.set(key, group);
    }
    group.names.push(name);
  }
  return [...groups.values()];
}
