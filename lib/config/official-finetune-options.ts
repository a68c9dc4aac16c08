// The options of the published fine-tuning script (spec 14.2) beside those that pre-training has too, and what each is
// called here. docs/finetune.md shows this table.

import { adviceOn, type OfficialOption, officialOptions } from "./official-options.js";

const fixed = "it is always on";
const masked = "it belongs to pre-training";

/** By the published name, without dashes. */
export const officialFinetuneOptions: Readonly<Record<string, OfficialOption>> = {
  update_freq: { ours: "accumulate" },
  epochs: { ours: "epochs" },
  opt_betas: { ours: "betas" },
  color_jitter: { reason: "the published code reads it and never uses it" },
  mask_type: { reason: masked },
  mask_ratio: { reason: masked },
  decoder_mask_type: { reason: masked },
  decoder_mask_ratio: { reason: masked },
  decoder_depth: { reason: masked },
  normlize_target: { reason: masked },
  num_segments: { reason: "a clip has one frame a segment (sampling sparse), or is one segment (dense)" },
  sparse_sample: { ours: "sampling", note: "sparse" },
  short_side_size: { ours: "shortSide" },
  num_sample: { ours: "views" },
  test_num_segment: { reason: "it belongs to videomae accuracy --views" },
  test_num_crop: { reason: "it belongs to videomae accuracy --views" },
  aa: { ours: "randAugment" },
  train_interpolation: { reason: "RandAugment moves pixels bicubically, as in every published script" },
  crop_pct: { reason: "the published code never uses it" },
  reprob: { ours: "erase" },
  remode: { ours: "eraseFill", note: "pixel, frame (their rand) or constant" },
  recount: { reason: "one box is erased, as in every published script" },
  resplit: { reason: "the published code never uses it" },
  mixup: { ours: "mixup" },
  cutmix: { ours: "cutmix" },
  cutmix_minmax: { reason: "boxes are drawn by the alpha of cutmix, as in every published script" },
  mixup_prob: { ours: "mixProbability" },
  mixup_switch_prob: { ours: "cutmixShare" },
  mixup_mode: { ours: "mixMode", note: "elem is element" },
  smoothing: { ours: "smoothing" },
  drop: { reason: "there is dropout before the head only (headDropout)" },
  attn_drop_rate: { reason: "there is dropout before the head only (headDropout)" },
  head_drop_rate: { ours: "headDropout" },
  model_ema: { ours: "emaDecay" },
  model_ema_decay: { ours: "emaDecay" },
  model_ema_force_cpu: { reason: "averages lie beside the weights" },
  layer_decay: { ours: "layerDecay" },
  finetune: { ours: "weights" },
  model_key: { reason: "a file's weights are found under model, module or state_dict" },
  model_prefix: { reason: "known prefixes are taken off by themselves" },
  init_scale: { ours: "headInitScale" },
  use_mean_pooling: { ours: "pooling", note: "mean, the default" },
  use_cls: { ours: "pooling", note: "first-token" },
  nb_classes: { reason: "classes are counted in the data; name them with classes" },
  data_set: { reason: "any labelled list is a data set; flips are turned off with flip 0" },
  eval_data_path: { ours: "validation" },
  start_idx: { ours: "startIndex" },
  save_ckpt: { reason: fixed },
  eval: { reason: "use videomae accuracy" },
  validation: { ours: "validation", note: "a list or folder; to measure without training use videomae accuracy" },
  dist_eval: { reason: "a run is one process on one machine" },
  disable_eval_during_finetuning: { ours: "validation", note: "leave it out" },
  enable_deepspeed: { reason: "recompute and bf16 save memory; accumulate gives the same effective batch" },
};

/** Advice about a key of fine-tuning that is not ours. */
export function adviceOnClassifierKey(key: string, spell?: (ours: string) => string): string | undefined {
  return adviceOn({ ...officialOptions, ...officialFinetuneOptions }, key, spell);
}
