// The classifier (spec 1.7): the encoder over all tokens of a clip, pooling, and a linear head; without a head, a feature
// extractor. Names of parameters are those of published fine-tuned checkpoints. In a bf16 model all that comes after the
// last block is f32: class scores that are rounded to bf16 would spoil the loss, and one vector a clip costs nothing.
import { rejectUnknownOptions, VideomaeError } from "../errors.js";
import { Block } from "../nn/block.js";
import { truncatedNormal, zeros } from "../nn/initializers.js";
import { LayerNorm } from "../nn/layer-norm.js";
import { Linear } from "../nn/linear.js";
import { type MaterializeOptions, Module } from "../nn/module.js";
import { ModuleList } from "../nn/module-list.js";
import { PatchEmbedding } from "../nn/patch-embedding.js";
import { positionTable } from "../nn/position-table.js";
import { widened } from "../ops/cast.js";
import { dropout } from "../ops/dropout.js";
import { windowOf } from "../ops/embed-visible.js";
import { reshape } from "../ops/reshape.js";
import { slice } from "../ops/slice.js";
import { mean } from "../ops/sum.js";
import { moved } from "../ops/to-device.js";
import type { Device } from "../tensor/dtype.js";
import { scope } from "../tensor/scope.js";
import { keep, Tensor } from "../tensor/tensor.js";
import { type ClassifierConfig, classifierFields, resolveClassifierConfig } from "./classifier-config.js";
import { dropPathRates, runBlocks } from "./encoder.js";
import { checkModelDtype, type ModelOptions, type VideoView } from "./pretrain.js";
import { mlpHidden, publishedGrid, tokenGrid } from "./sizes.js";

/** Linear weights begin at N(0, 0.02), cut off at the absolute values 2: at no multiple of it that ever occurs. */
const weightStd = 0.02;
const weightCut = 2;

export class ClassifierModel extends Module {
  readonly config: ClassifierConfig;
  readonly device: Device;
  readonly patchEmbed: PatchEmbedding;
  readonly blocks: ModuleList<Block>;
  /** The last layer norm, over every token or over the pooled vector; see `config.norm`. */
  readonly norm: LayerNorm | undefined;
  /** (D) -> (K); none when there are no classes. */
  readonly head: Linear | undefined;
  readonly #recompute: boolean;
  /** (N, D); no parameter. */
  readonly #position: Tensor;

  /** @param options.initialize  false leaves zeros, for weights that are loaded next */
  constructor(config: ClassifierConfig, options: ModelOptions & Pick<MaterializeOptions, "initialize"> = {}) {
    super();
    const { device = "cpu", dtype = "f32", seed = 0, recompute = false, position: mode = "generate" } = options;
    this.device = device;
    const { width, depth, heads, qkvBias, cosineAttention, layerScale, normEps, headInitScale: scale } = config;
    this.config = config;
    this.#recompute = recompute;
    this.patchEmbed = this.child("patch_embed", new PatchEmbedding(width, config.tubelet, config.patch));
    const weight = truncatedNormal(weightStd, weightCut);
    const shared = { width, heads, hidden: mlpHidden(config), qkvBias, cosineAttention, layerScale, normEps, weight };
    const blocks = dropPathRates(config.dropPath, depth).map(
      (dropPath, i) => new Block({ ...shared, dropPath, path: `blocks.${i}` }),
    );
    this.blocks = this.child("blocks", new ModuleList(blocks));
    if (config.norm === "pooled") this.norm = this.child("fc_norm", new LayerNorm(width, config.pooledNormEps));
    if (config.norm === "tokens") this.norm = this.child("norm", new LayerNorm(width, normEps));
    if (config.classes > 0) {
      const small = scale === 0 ? zeros : truncatedNormal(weightStd * scale, weightCut * scale);
      this.head = this.child("head", new Linear(width, config.classes, { weight: small, wide: true }));
    }
    const [grid, base] = [tokenGrid(config), tokenGrid(publishedGrid(config))];
    this.#position = positionTable(grid, width, { dtype, mode, base, device });
    this.materialize({ seed, dtype, device, initialize: options.initialize });
  }

  /**
   * What the encoder makes of every token; normalised only where `config.norm` is "tokens".
   * @param video  u8 (B, T, S, S, 3) as decoded, or floating (B, 3, T, S, S) normalised
   * @returns (B, N, D)
   */
  tokens(video: Tensor, view: VideoView = {}): Tensor {
    return scope(() => keep(this.#tokenNorm(this.#encoded(video, view))));
  }

  /**
   * The pooled features, what the head sees; f32 in a bf16 model.
   * @param video  u8 (B, T, S, S, 3) as decoded, or floating (B, 3, T, S, S) normalised
   * @returns (B, D)
   */
  features(video: Tensor, view: VideoView = {}): Tensor {
    return scope(() => {
      const xBND = this.#encoded(video, view);
      const first = this.config.pooling === "first-token";
      const pooled = this.#tokenNorm(widened(first ? slice(xBND, 1, 0, 1) : xBND)); // (B, 1, D) or (B, N, D)
      const [clips, , width] = pooled.shape;
      const features = first ? reshape(pooled, [clips, width]) : mean(pooled, { axes: [1] });
      return keep(this.config.norm === "pooled" ? this.norm!.forward(features) : features);
    });
  }

  /**
   * The class scores, before any softmax: (B, K), f32 in a bf16 model.
   * @param video  u8 (B, T, S, S, 3) as decoded, or floating (B, 3, T, S, S) normalised; larger with windows
   * @throws VideomaeError when the model has no head
   */
  forward(video: Tensor, view: VideoView = {}): Tensor {
    const { head } = this;
    if (head === undefined) {
      throw new VideomaeError({
        op: "classifier",
        expected: "a model with a head",
        got: "one that only gives features (0 classes)",
        hint: "call features(), or make it with a number of classes",
      });
    }
    return scope(() => {
      const pooled = this.features(video, view);
      const probability = this.training ? this.config.headDropout : 0;
      return keep(head.forward(dropout(pooled, probability, { path: "head" })));
    });
  }

  /** Every token after the last block: (B, N, D). */
  #encoded(video: Tensor, { window }: VideoView): Tensor {
    const input = moved(video, this.device);
    const tokens = this.#allTokens(video.shape[0]);
    const windows = windowOf(window && moved(window, this.device), this.config.image);
    const embedded = this.patchEmbed.forward(input, tokens, this.#position, windows);
    return runBlocks(this.blocks.items, embedded, this.#recompute);
  }

  #tokenNorm(x: Tensor): Tensor {
    return this.config.norm === "tokens" ? this.norm!.forward(x) : x;
  }

  override dispose(): void {
    super.dispose();
    this.#position.dispose();
  }

  /** i32 (B, N): 0 to N - 1 for every clip. */
  #allTokens(clips: number): Tensor {
    const tokens = this.#position.shape[0];
    return Tensor.fromArray(
      Int32Array.from({ length: clips * tokens }, (_, i) => i % tokens),
      [clips, tokens],
      "i32",
      this.device,
    );
  }
}

/**
 * A classifier with fresh weights.
 *
 * @param size  a registered size ("vit-base", "base", "B"), or a configuration
 * @param options  model options, and configuration fields that override the size's
 * @example using model = classifierModel("vit-small", { classes: 10 });
 */
export function classifierModel(
  size: string | Partial<ClassifierConfig>,
  options: ModelOptions & Partial<ClassifierConfig> = {},
): ClassifierModel {
  const { device = "cpu", dtype = "f32", seed, recompute, position, ...overrides } = options;
  rejectUnknownOptions("classifierModel", overrides, classifierFields);
  checkModelDtype("classifierModel", dtype);
  return new ClassifierModel(resolveClassifierConfig(size, overrides), { device, dtype, seed, recompute, position });
}
