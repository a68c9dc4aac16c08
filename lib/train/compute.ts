// What a run computes on, and in what: the options `device` and `dtype` with "auto" decided.
import type { PretrainRunConfig } from "../config/pretrain-config.js";
import type { RealType } from "../nn/module.js";

export interface Compute {
  readonly dtype: RealType;
}

/** Decides what a run's options leave open. */
export function computeOf({ dtype }: Pick<PretrainRunConfig, "dtype">): Compute {
  return { dtype: dtype === "auto" ? "f32" : dtype };
}
