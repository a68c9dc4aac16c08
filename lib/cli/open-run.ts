// The weights that a command is given: a checkpoint, or the folder of a run.
import { statSync } from "node:fs";
import type { DecoderName } from "../data/find-decoder.js";
import { VideomaeError } from "../errors.js";
import { latestCheckpoint } from "../io/checkpoint-folder.js";
import type { DualMask } from "../masking/dual-mask.js";
import type { PretrainModel } from "../models/pretrain.js";
import { masksOf } from "../train/pretrain.js";
import { loadPretrainModel } from "../train/pretrain-state.js";

/** A model with its weights, and how its run sampled. */
export interface OpenRun {
  /** The caller disposes of it. */
  readonly model: PretrainModel;
  readonly masks: DualMask;
  readonly stride: number;
  readonly decoder: DecoderName;
}

/** The model of a checkpoint or of a run's newest one, with the run's masks. */
export function openRun({ weights, stride }: { weights: string; stride?: number }): OpenRun {
  const { model, state } = loadPretrainModel(checkpointIn(weights));
  return {
    model,
    masks: masksOf(state.config, model),
    stride: stride ?? state.config.stride,
    decoder: state.config.decoder,
  };
}

function checkpointIn(weights: string): string {
  if (!statSync(weights, { throwIfNoEntry: false })?.isDirectory()) return weights;
  const latest = latestCheckpoint(weights);
  if (latest !== undefined) return latest.path;
  throw new VideomaeError({
    op: "--weights",
    expected: "a folder with checkpoint-<step>.safetensors in it",
    got: weights,
    hint: "name the folder given to pretrain --out, or a checkpoint file",
  });
}
