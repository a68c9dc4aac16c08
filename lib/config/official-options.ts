// The options of the published pre-training script (spec 14.1), and what each is called here. Those that have no meaning
// here say why: who gives one is told the reason rather than that it is unknown. docs/options.md shows this table.

/** What becomes of a published option. */
export type OfficialOption =
  | { readonly ours: string; readonly note?: string }
  /** Why there is none here. */
  | { readonly reason: string };

const oneProcess = "a run is one process on one machine";

/** By the published name, without dashes. */
export const officialOptions: Readonly<Record<string, OfficialOption>> = {
  batch_size: { ours: "batchSize", note: "videos, not clips; multiplied by accumulate where theirs is by the GPUs" },
  epochs: {
    ours: "epochs",
    note: "passes over the list; names such as 800e count the views too: 200 epochs x 4 views",
  },
  save_ckpt_freq: { ours: "saveEpochs", note: "or saveEvery, in updates" },
  model: { ours: "model", note: "vit-small, vit-base, vit-large, vit-huge, vit-giant" },
  tubelet_size: { ours: "tubelet" },
  with_checkpoint: { ours: "recompute" },
  decoder_depth: { ours: "decoderDepth" },
  mask_type: { ours: "mask" },
  decoder_mask_type: { ours: "decoderMask", note: "run_cell is running-cell; none reconstructs every hidden token" },
  mask_ratio: { ours: "maskRatio" },
  decoder_mask_ratio: { ours: "decoderMaskRatio", note: "default 0.5, as in every published script; theirs is 0" },
  input_size: { ours: "image", note: "any multiple of the patch; theirs works with 224 only" },
  drop_path: { ours: "dropPath" },
  normlize_target: { ours: "normalizeTarget" },
  opt: { reason: "AdamW is the only optimiser" },
  opt_eps: { ours: "eps" },
  opt_betas: { ours: "betas", note: "default 0.9 0.95, as in every published script" },
  clip_grad: { ours: "clipNorm" },
  momentum: { reason: "it belongs to SGD; AdamW has betas" },
  weight_decay: { ours: "weightDecay" },
  weight_decay_end: { ours: "weightDecayEnd" },
  lr: { ours: "lr", note: "for 256 videos an update, scaled by batchSize x accumulate / 256; views are not counted" },
  warmup_lr: { ours: "warmupLr", note: "default 0; theirs is read but never used, so warm-up starts at 0" },
  min_lr: { ours: "minLr", note: "scaled like lr" },
  warmup_epochs: { ours: "warmupEpochs" },
  warmup_steps: { ours: "warmupSteps", note: "instead of warmupEpochs" },
  color_jitter: { reason: "pre-training changes no colours; the published code reads it and never uses it" },
  train_interpolation: { reason: "clips are resized bilinearly; the published code never uses it in pre-training" },
  imagenet_default_mean_and_std: { reason: "clips are always normalised by the ImageNet statistics, as in theirs" },
  finetune: { reason: "a run starts from new weights, or goes on from its own checkpoint (resume)" },
  data_path: { ours: "data", note: "a list, a folder, or a video" },
  data_root: { ours: "root" },
  fname_tmpl: { ours: "framesTemplate" },
  num_frames: { ours: "frames" },
  sampling_rate: { ours: "stride" },
  num_sample: { ours: "views" },
  output_dir: { ours: "out" },
  log_dir: { reason: "the log is log.jsonl in the folder of --out" },
  device: { ours: "device" },
  seed: { ours: "seed" },
  resume: { ours: "resume" },
  auto_resume: { ours: "resume", note: "the default: the newest checkpoint in out" },
  no_auto_resume: { ours: "resume", note: "false, or --no-resume" },
  start_epoch: { reason: "a checkpoint knows where it was made (resume)" },
  num_workers: { ours: "workers" },
  pin_mem: { reason: "it speeds up copies to a GPU; clips lie in memory that workers share with the step" },
  no_pin_mem: { reason: "it speeds up copies to a GPU; clips lie in memory that workers share with the step" },
  world_size: { reason: `${oneProcess}; accumulate gives the same effective batch` },
  local_rank: { reason: oneProcess },
  dist_on_itp: { reason: oneProcess },
  dist_url: { reason: oneProcess },
};

/** Published words under a key of ours. */
const officialWords: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  decoderMask: { run_cell: "running-cell" },
  mask: { run_cell: "running-cell" },
};

/** Advice about a key of pre-training that is not ours. */
export function adviceOnKey(key: string, spell?: (ours: string) => string): string | undefined {
  return adviceOn(officialOptions, key, spell);
}

/** Advice about a key that is not ours: how a published option is called here, or why there is none. */
export function adviceOn(
  options: Readonly<Record<string, OfficialOption>>,
  key: string,
  spell: (ours: string) => string = (ours) => `"${ours}"`,
): string | undefined {
  const name = key.replace(/^-+/, "").replace(/^no-/, "no_").replaceAll("-", "_");
  const option = Object.hasOwn(options, name) ? options[name] : undefined;
  if (option === undefined) return undefined;
  if ("reason" in option) return `there is no such option: ${option.reason}`;
  return `it is called ${spell(option.ours)} here${option.note ? ` (${option.note})` : ""}`;
}

/** Advice about a word that an option of ours does not know. */
export function adviceOnWord(key: string, word: string): string | undefined {
  const words = Object.hasOwn(officialWords, key) ? officialWords[key] : {};
  return Object.hasOwn(words, word) ? `it is called "${words[word]}" here` : undefined;
}
