// The JSON files that transformers opens a model by: what hub-config.ts reads, written.

import { VideomaeError } from "../errors.js";
import { imageNetMean, imageNetStd } from "../models/pixel-statistics.js";
import { decoderMlpHidden, mlpHidden } from "../models/sizes.js";
import type { Layout } from "./layouts.js";
import type { StoredModel } from "./stored-model.js";

/** The content of config.json. */
export function hubConfigJson(model: StoredModel, { architecture }: Layout, dtype: "f32" | "bf16"): object {
  const { image, patch, channels, frames, tubelet, width, depth, heads, qkvBias, normEps } = model.config;
  return {
    architectures: [architecture],
    model_type: "videomae",
    ...{ image_size: image, patch_size: patch, num_channels: channels, num_frames: frames, tubelet_size: tubelet },
    ...{ hidden_size: width, num_hidden_layers: depth, num_attention_heads: heads },
    ...{ intermediate_size: mlpHidden(model.config), hidden_act: "gelu", qkv_bias: qkvBias, layer_norm_eps: normEps },
    ...{ attention_probs_dropout_prob: 0, hidden_dropout_prob: 0, initializer_range: 0.02 },
    // Without it the encoder ends with a layer norm, which a pre-training model has and a mean over tokens replaces.
    use_mean_pooling: model.kind !== "pre-training model" && model.config.norm !== "tokens",
    ...decoderJson(model),
    ...classesJson(model),
    torch_dtype: dtype === "f32" ? "float32" : "bfloat16",
  };
}

function decoderJson(model: StoredModel): object {
  if (model.kind !== "pre-training model") return {};
  const { decoderWidth, decoderDepth, decoderHeads, normalizeTarget } = model.config;
  return {
    decoder_hidden_size: decoderWidth,
    decoder_num_hidden_layers: decoderDepth,
    decoder_num_attention_heads: decoderHeads,
    decoder_intermediate_size: decoderMlpHidden(model.config),
    norm_pix_loss: normalizeTarget,
  };
}

/** Names of classes; of those that have none, numbers, which is how transformers counts them. */
function classesJson(model: StoredModel): object {
  if (model.kind !== "classifier") return {};
  const { classes } = model.config;
  const names = model.labels ?? Array.from({ length: classes }, (_, i) => `LABEL_${i}`);
  const numbers = new Map(names.map((name, i) => [name, i]));
  if (numbers.size < names.length) {
    const twice = names.find((name, i) => numbers.get(name) !== i);
    throw new VideomaeError({ op: model.path, expected: "every class name once", got: `"${twice}" twice` });
  }
  return { id2label: Object.fromEntries(names.entries()), label2id: Object.fromEntries(numbers) };
}

/** The content of preprocessor_config.json. */
export function hubPreprocessorJson({ config, preprocessing }: StoredModel): object {
  const { mean = imageNetMean, std = imageNetStd, shortSide = config.image } = preprocessing;
  return {
    image_processor_type: "VideoMAEImageProcessor",
    ...{ do_resize: true, size: { shortest_edge: shortSide }, resample: 2 }, // bilinear
    ...{ do_center_crop: true, crop_size: { height: config.image, width: config.image } },
    ...{ do_rescale: true, rescale_factor: 1 / 255, do_normalize: true, image_mean: mean, image_std: std },
  };
}
