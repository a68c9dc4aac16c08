// The weights that a command is given: a checkpoint, or the folder of a run; and what computes with them.
import { statSync } from "node:fs";
import type { Command } from "commander";
import type { DecoderName } from "../data/find-decoder.js";
import type { ClipOptions } from "../data/loader.js";
import { VideomaeError } from "../errors.js";
import { latestCheckpoint } from "../io/checkpoint-folder.js";
import type { DualMask } from "../masking/dual-mask.js";
import type { PretrainModel } from "../models/pretrain.js";
import { type ComputeOptions, computeOf, openDevice } from "../train/compute.js";
import { loadPretrainModel } from "../train/load-pretrain.js";
import { masksOf } from "../train/pretrain.js";
import { addComputeOptions } from "./compute-options.js";
import { parseNumber } from "./values.js";

/** Options of every command that opens a run. */
export interface RunFlags extends ComputeOptions {
  readonly weights: string;
  readonly stride?: number;
}

export function addRunOptions(command: Command): Command {
  command
    .requiredOption("--weights <path>", "a checkpoint, or the folder of a run")
    .option("--stride <frames>", "video frames from one clip frame to the next (default: the run's)", parseNumber);
  return addComputeOptions(command);
}

/** A model with its weights, and how its run sampled. */
export interface OpenRun {
  /** The caller disposes of it. */
  readonly model: PretrainModel;
  readonly masks: DualMask;
  /** Which frames of a video make a clip, and the shape of its pixels. */
  readonly sampling: Pick<ClipOptions, "stride" | "rate" | "pixelAspect">;
  readonly decoder: DecoderName;
}

/**
 * The model of a checkpoint or of a run's newest one, with the run's masks.
 * @throws VideomaeError where there is no checkpoint, or no such device
 */
export function openRun({ weights, stride, ...options }: RunFlags): OpenRun {
  const compute = computeOf(options);
  openDevice(compute.device);
  const { model, state } = loadPretrainModel(checkpointIn(weights), compute);
  const { stride: own, rate, pixelAspect } = state.config;
  return {
    model,
    masks: masksOf(state.config, model),
    sampling: stride === undefined ? { stride: own, rate, pixelAspect } : { stride, pixelAspect },
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
