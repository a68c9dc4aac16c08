// The JSON files that lie beside weights from a model hub: config.json of Hugging Face's VideoMAE models and of the V2
// repositories, which decides the model, its classes' names, and preprocessor_config.json, which decides what clips look
// like. Fields that change the arithmetic are checked; the many others are ignored.

import { existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import type * as zod from "zod";
import { VideomaeError } from "../errors.js";
import { explainFileError } from "../io/atomic-file.js";
import { lazy } from "../lazy.js";
import type { ClassifierConfig } from "../models/classifier-config.js";
import type { PretrainConfig } from "../models/sizes.js";
import { z } from "../zod.js";
import { mlpRatio } from "./infer-config.js";

/** What config.json says of the model; fields it leaves open come from the weights. */
export interface HubConfig {
  readonly classifier: Partial<ClassifierConfig>;
  /** @throws VideomaeError when it describes a pre-training model that this package does not have */
  pretrain(): Partial<PretrainConfig>;
  /** Names of the classes, by number. */
  readonly labels?: readonly string[];
}

/** How the frames of a clip are made, where a file beside the weights says so. */
export interface HubPreprocessing {
  /** Of each colour channel, of pixels in [0, 1]. */
  readonly mean?: readonly number[];
  readonly std?: readonly number[];
  /** What the shorter side of a frame is resized to before the crop, pixels. */
  readonly shortSide?: number;
}

const count = () => z.int().min(1);
/** A side in pixels, or two equal ones. */
const side = () =>
  z
    .union([count(), z.tuple([count(), count()]).refine(([h, w]) => h === w, "expected a square")])
    .transform((value) => (typeof value === "number" ? value : value[0]));

// Defaults are those of the library's own configuration class, which leaves them out of the file or not as it likes.
const huggingFace = lazy(() =>
  z.object({
    model_type: z.literal("videomae"),
    image_size: side().default(224),
    patch_size: side().default(16),
    num_channels: z.literal(3).default(3),
    num_frames: count().default(16),
    tubelet_size: count().default(2),
    hidden_size: count().default(768),
    num_hidden_layers: count().default(12),
    num_attention_heads: count().default(12),
    intermediate_size: count().default(3072),
    hidden_act: z.literal("gelu", "the exact (erf) GELU").default("gelu"),
    layer_norm_eps: z.number().positive().default(1e-12),
    qkv_bias: z.boolean().default(true),
    qv_bias: z.boolean().optional(), // what newer releases call it
    use_mean_pooling: z.boolean().default(true),
    decoder_num_attention_heads: count().default(6),
    decoder_hidden_size: count().default(384),
    decoder_num_hidden_layers: count().default(4),
    decoder_intermediate_size: count().default(1536),
    norm_pix_loss: z.boolean().default(true),
    id2label: z.record(z.string(), z.string()).nullish(),
  }),
);

const hubV2 = lazy(() =>
  z.object({
    model_type: z.string().startsWith("VideoMAEv2"),
    model_config: z.object({
      img_size: side().default(224),
      patch_size: side().default(16),
      in_chans: z.literal(3).default(3),
      num_classes: z.int().min(0).default(0),
      embed_dim: count(),
      depth: count(),
      num_heads: count(),
      mlp_ratio: z.number().positive(),
      qkv_bias: z.boolean().default(true),
      qk_scale: z.null().optional(),
      layer_norm_eps: z.number().positive().default(1e-6),
      init_values: z.number().min(0).default(0),
      use_learnable_pos_emb: z.literal(false).default(false),
      num_frames: count().optional(),
      all_frames: count().optional(),
      tubelet_size: count().default(2),
      use_mean_pooling: z.boolean().default(true),
      cos_attn: z.boolean().default(false),
    }),
    id2label: z.record(z.string(), z.string()).nullish(),
  }),
);

const imageProcessor = lazy(() =>
  z.object({
    image_mean: z.array(z.number()).length(3).optional(),
    image_std: z.array(z.number().positive()).length(3).optional(),
    do_normalize: z.boolean().optional(),
    do_rescale: z.literal(true).optional(),
    size: z
      .union([
        count().transform((shortest_edge) => ({ shortest_edge })),
        z.object({ shortest_edge: count().optional() }),
      ])
      .optional(),
  }),
);

/** Whether a file is named as model hubs name weights: what lies beside it describes them. */
export function isHubFile(path: string): boolean {
  return /^(model|pytorch_model)(-\d+-of-\d+)?\.(safetensors|bin)(\.index\.json)?$/.test(basename(path));
}

/** Reads the config.json of a folder; undefined when there is none. */
export function readHubConfig(folder: string): HubConfig | undefined {
  const path = join(folder, "config.json");
  const json = readJson(path);
  if (json === undefined) return undefined;
  const type = (json as { model_type?: unknown }).model_type;
  if (typeof type === "string" && type.startsWith("VideoMAEv2")) return fromV2(parse(path, hubV2(), json));
  return fromHuggingFace(path, parse(path, huggingFace(), json));
}

/** What says how frames are made, by the releases of the library; the first that is there counts. */
const processorFiles = ["video_preprocessor_config.json", "preprocessor_config.json"];

/** Reads how the frames of a clip are made from a folder; undefined when no file there says so. */
export function readHubPreprocessing(folder: string): HubPreprocessing | undefined {
  const file = processorFiles.find((name) => existsSync(join(folder, name)));
  if (file === undefined) return undefined;
  const path = join(folder, file);
  const json = readJson(path);
  const { image_mean, image_std, do_normalize = true, size } = parse(path, imageProcessor(), json);
  return {
    mean: do_normalize ? image_mean : [0, 0, 0],
    std: do_normalize ? image_std : [1, 1, 1],
    shortSide: size?.shortest_edge,
  };
}

function fromHuggingFace(path: string, c: zod.output<ReturnType<typeof huggingFace>>): HubConfig {
  const encoder = {
    image: c.image_size,
    frames: c.num_frames,
    tubelet: c.tubelet_size,
    patch: c.patch_size,
    width: c.hidden_size,
    depth: c.num_hidden_layers,
    heads: c.num_attention_heads,
    mlpRatio: mlpRatio(c.hidden_size, c.intermediate_size),
    qkvBias: c.qv_bias ?? c.qkv_bias,
    normEps: c.layer_norm_eps,
  };
  const pretrain = (): Partial<PretrainConfig> => {
    if (c.use_mean_pooling) {
      throw new VideomaeError({
        op: path,
        expected: "a pre-training model whose encoder ends with a layer norm (use_mean_pooling false)",
        got: "use_mean_pooling true, which takes it away",
        hint: "published pre-training models have it; load this one as a feature extractor",
      });
    }
    if (Math.trunc(c.decoder_hidden_size * encoder.mlpRatio) !== c.decoder_intermediate_size) {
      throw new VideomaeError({
        op: path,
        expected: `a decoder with the encoder's MLP ratio, ${encoder.mlpRatio}`,
        got: `decoder_intermediate_size ${c.decoder_intermediate_size} of width ${c.decoder_hidden_size}`,
      });
    }
    return {
      ...encoder,
      decoderWidth: c.decoder_hidden_size,
      decoderDepth: c.decoder_num_hidden_layers,
      decoderHeads: c.decoder_num_attention_heads,
      normalizeTarget: c.norm_pix_loss,
    };
  };
  return { classifier: encoder, pretrain, labels: labelsOf(path, c.id2label) };
}

function fromV2({ model_config: c, id2label }: zod.output<ReturnType<typeof hubV2>>): HubConfig {
  const encoder = {
    image: c.img_size,
    frames: c.num_frames ?? c.all_frames ?? 16,
    tubelet: c.tubelet_size,
    patch: c.patch_size,
    width: c.embed_dim,
    depth: c.depth,
    heads: c.num_heads,
    mlpRatio: mlpRatio(c.embed_dim, Math.trunc(c.embed_dim * c.mlp_ratio)),
    qkvBias: c.qkv_bias,
    layerScale: c.init_values,
    normEps: c.layer_norm_eps,
    cosineAttention: c.cos_attn,
  };
  const pooling = c.use_mean_pooling ? "mean" : "first-token";
  return {
    classifier: { ...encoder, pooling, pooledNormEps: c.layer_norm_eps },
    pretrain: () => encoder,
    labels: labelsOf("config.json", id2label),
  };
}

/** `{"0": "archery", "1": "bowling"}` as a list. */
function labelsOf(path: string, id2label: Readonly<Record<string, string>> | null | undefined): string[] | undefined {
  if (id2label === null || id2label === undefined) return undefined;
  const labels = Object.keys(id2label).map((_, i) => id2label[i]);
  if (labels.every((label) => label !== undefined)) return labels;
  throw new VideomaeError({
    op: `${path}: id2label`,
    expected: `names of the classes 0 to ${labels.length - 1}`,
    got: `other numbers: ${Object.keys(id2label).slice(0, 5).join(", ")}, ...`,
  });
}

function readJson(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw explainFileError("read", path, cause);
  }
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  } catch (cause) {
    throw new VideomaeError({ op: path, expected: "JSON", got: (cause as Error).message, cause });
  }
  throw new VideomaeError({ op: path, expected: "a JSON object", got: text.slice(0, 40) });
}

function parse<T extends zod.ZodType>(path: string, schema: T, json: unknown): zod.output<T> {
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const [{ path: field, message }] = result.error.issues;
  throw new VideomaeError({ op: `${path}: ${field.join(".")}`, expected: "a VideoMAE model", got: message });
}
