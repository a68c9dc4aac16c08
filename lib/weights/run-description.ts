// What the checkpoint of a run says of its weights.

import { VideomaeError } from "../errors.js";
import type { Weights } from "../io/weights.js";
import type { ClassifierConfig } from "../models/classifier-config.js";
import type { PretrainConfig } from "../models/sizes.js";
import type { PositionMode } from "../nn/position-table.js";

export interface RunDescription {
  readonly model: Partial<PretrainConfig> & Partial<ClassifierConfig>;
  readonly position: PositionMode | undefined;
  /** Names of a classifier's classes, by number. */
  readonly classes: readonly string[] | undefined;
  readonly sampling: RunSampling;
  /** What the shorter side of a frame was resized to before the crop, pixels; the model's input where it is not said. */
  readonly shortSide: number | undefined;
}

/** Which frames of a video a run took, where it is said. */
export interface RunSampling {
  /** Video frames from one clip frame to the next. */
  readonly stride?: number;
  readonly sampling?: "dense" | "sparse";
}

/**
 * The description in a checkpoint; undefined for other files.
 * @throws VideomaeError for a checkpoint without one
 */
export function runOf(weights: Weights): RunDescription | undefined {
  if (weights.format !== "checkpoint of a run") return undefined;
  const { model, config, classes } = JSON.parse(weights.metadata.get("videomae") as string);
  if (typeof model === "object" && model !== null) {
    const { position, stride, sampling, shortSide } = config ?? {};
    return {
      model,
      position,
      classes: Array.isArray(classes) ? classes : undefined,
      sampling: { stride, sampling },
      shortSide,
    };
  }
  throw new VideomaeError({ op: weights.path, expected: "a checkpoint with a model description", got: "one without" });
}
