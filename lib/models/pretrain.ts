// The pre-training model: encoder over visible tokens, a narrow bridge, decoder over what is to be reconstructed
// (VideoMAE V2, section 3; spec 1.5, 2.5, 3).
import { rejectUnknownOptions, VideomaeError } from "../errors.js";
import { truncatedNormal, uniform } from "../nn/initializers.js";
import { Linear } from "../nn/linear.js";
import { type MaterializeOptions, Module, type Parameter, type RealType } from "../nn/module.js";
import { type PositionMode, positionTable } from "../nn/position-table.js";
import { assembleDecoder } from "../ops/assemble-decoder.js";
import { windowOf } from "../ops/embed-visible.js";
import { maskedPixelLoss, type PixelLossTargets } from "../ops/masked-pixel-loss.js";
import { moved } from "../ops/to-device.js";
import type { Device } from "../tensor/dtype.js";
import { scope } from "../tensor/scope.js";
import { keep, type Tensor } from "../tensor/tensor.js";
import { Decoder } from "./decoder.js";
import { Encoder } from "./encoder.js";
import { modelSizes, type PretrainConfig, publishedGrid, resolvePretrainConfig, tokenGrid } from "./sizes.js";

/** Which tokens the encoder sees and which the decoder rebuilds: i32 (B, V) and (B, R), ascending. */
export interface TokenMasks {
  readonly visible: Tensor;
  readonly decoded: Tensor;
}

/** Where in larger videos the clips of a batch lie. */
export interface VideoView {
  /**
   * i32 (B, 3): the first row and column of the square of the model's image size that is the clip, and 1 where it is mirrored.
   * Without it the videos are of that size.
   */
  readonly window?: Tensor;
}

/** The masks of a batch, and its windows. */
export interface MaskedView extends TokenMasks, VideoView {}

/** How a model is made, besides its configuration. */
export interface ModelOptions {
  /** Where it is and computes: "cpu", "cuda", "cuda:1" ... Default "cpu". */
  readonly device?: Device;
  /** f32, bf16 (see RealType), or f64 for checks. */
  readonly dtype?: RealType;
  /** Of the initial values. */
  readonly seed?: number;
  /** Recompute activations in the backward pass instead of keeping them: less memory, a third more work. */
  readonly recompute?: boolean;
  /** Where the positional table of an unusual token grid comes from (see nn/position-table). */
  readonly position?: PositionMode;
}

export class PretrainModel extends Module {
  readonly config: PretrainConfig;
  readonly device: Device;
  readonly maskToken: Parameter;
  readonly encoder: Encoder;
  readonly decoder: Decoder;
  readonly encoderToDecoder: Linear;
  /** (N, D) and (N, D_d); no parameters. */
  readonly #positions: { encoder: Tensor; decoder: Tensor };

  /** @param options.initialize  false leaves zeros, for weights that are loaded next */
  constructor(config: PretrainConfig, options: ModelOptions & Pick<MaterializeOptions, "initialize"> = {}) {
    super();
    const { device = "cpu", dtype = "f32", seed = 0, recompute = false, position: mode = "generate" } = options;
    this.config = config;
    this.device = device;
    this.maskToken = this.parameter("mask_token", [1, 1, config.decoderWidth], truncatedNormal(0.02, 0.02));
    this.encoder = this.child("encoder", new Encoder(config, recompute));
    this.decoder = this.child("decoder", new Decoder(config, recompute));
    const bound = 1 / Math.sqrt(config.width); // the published code leaves this layer at the framework's default
    this.encoderToDecoder = this.child(
      "encoder_to_decoder",
      new Linear(config.width, config.decoderWidth, { bias: false, weight: uniform(bound) }),
    );
    const grid = tokenGrid(config);
    const base = tokenGrid(publishedGrid(config));
    const table = (width: number) => positionTable(grid, width, { dtype, mode, base, device });
    this.#positions = { encoder: table(config.width), decoder: table(config.decoderWidth) };
    this.materialize({ seed, dtype, device, initialize: options.initialize });
  }

  /**
   * What the encoder makes of the visible tokens, after its last normalisation.
   * @param video  u8 (B, T, S, S, 3) as decoded, or floating (B, 3, T, S, S) normalised by the ImageNet statistics
   * @param visible  i32 (B, V)
   * @param window  as in MaskedView, for larger videos
   * @returns (B, V, D)
   */
  encode(video: Tensor, visible: Tensor, window?: Tensor): Tensor {
    return scope(() => {
      const [clips, tokens] = [moved(video, this.device), moved(visible, this.device)];
      const view = windowOf(window && moved(window, this.device), this.config.image);
      return keep(this.encoder.forward(clips, tokens, this.#positions.encoder, view));
    });
  }

  /** The prediction of every token in `decoded`: (B, R, 3·tubelet·patch²), columns (dt, dy, dx, channel). */
  forward(video: Tensor, masks: MaskedView): Tensor {
    return scope(() => {
      const { visible, decoded, window } = this.#here(masks);
      const z = this.encoderToDecoder.forward(this.encode(video, visible, window)); // (B, V, D_d)
      const x = assembleDecoder(z, this.maskToken.value, this.#positions.decoder, visible, decoded);
      return keep(this.decoder.forward(x, decoded.shape[1]));
    });
  }

  /** The pre-training loss of a batch, a scalar. */
  loss(video: Tensor, masks: MaskedView): Tensor {
    return scope(() => {
      const clips = moved(video, this.device);
      const tokens = this.#here(masks);
      return keep(maskedPixelLoss(this.forward(clips, tokens), this.targets(clips, tokens)));
    });
  }

  /** What the loss compares a prediction with, on the model's device. */
  targets(video: Tensor, masks: MaskedView): PixelLossTargets {
    const { tubelet, patch, normalizeTarget: normalize } = this.config;
    const { visible, decoded, window } = this.#here(masks);
    const clips = { video: moved(video, this.device), ...windowOf(window, this.config.image) };
    return { ...clips, visible, decoded, tubelet, patch, normalize };
  }

  /** The indices, on the model's device. */
  #here({ visible, decoded, window }: MaskedView): MaskedView {
    const masks = { visible: moved(visible, this.device), decoded: moved(decoded, this.device) };
    return window === undefined ? masks : { ...masks, window: moved(window, this.device) };
  }

  override dispose(): void {
    super.dispose();
    this.#positions.encoder.dispose();
    this.#positions.decoder.dispose();
  }
}

/** @throws VideomaeError for what no model can be of */
export function checkModelDtype(op: string, dtype: string): void {
  if (["f32", "bf16", "f64"].includes(dtype)) return;
  throw new VideomaeError({ op, expected: 'a dtype out of "f32", "bf16", "f64"', got: `"${dtype}"` });
}

/**
 * A pre-training model with fresh weights.
 *
 * @param size  a registered size ("vit-base", "base", "B"), or a configuration
 * @param options  model options, and configuration fields that override the size's
 * @example using model = pretrainModel("vit-small", { image: 112, dtype: "f32" });
 */
export function pretrainModel(
  size: string | Partial<PretrainConfig>,
  options: ModelOptions & Partial<PretrainConfig> = {},
): PretrainModel {
  const { device = "cpu", dtype = "f32", seed, recompute, position, ...overrides } = options;
  rejectUnknownOptions("pretrainModel", overrides, Object.keys(modelSizes["vit-base"]));
  checkModelDtype("pretrainModel", dtype);
  return new PretrainModel(resolvePretrainConfig(size, overrides), { device, dtype, seed, recompute, position });
}
