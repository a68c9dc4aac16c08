// What a predictor says to the thread that computes, and what it hears back.

import type { Source } from "../data/source.js";
import { type ErrorParts, VideomaeError } from "../errors.js";
import type { ClassifierConfig } from "../models/classifier-config.js";
import type { PositionMode } from "../nn/position-table.js";
import type { Device } from "../tensor/dtype.js";
import type { HubPreprocessing } from "../weights/hub-config.js";
import type { LoadReport } from "../weights/load-report.js";
import type { RunSampling } from "../weights/run-description.js";
import type { ClipViews } from "./classify-clip.js";
import type { DecodedClip, DecodeOptions } from "./clip-source.js";
import type { ClipFeatures, FeatureProgress, FeatureViews } from "./extract-features.js";

export interface PredictorSetup extends DecodeOptions {
  readonly weights: string;
  readonly config: Partial<ClassifierConfig>;
  readonly partial: boolean;
  readonly position: PositionMode | undefined;
  readonly device: Device;
  readonly dtype: "f32" | "bf16";
  readonly preprocessing: HubPreprocessing;
  /** Of a `WorkSignal`. */
  readonly signal: SharedArrayBuffer;
}

/** What a thread tells of the model it has loaded. */
export interface PredictorModel {
  readonly config: ClassifierConfig;
  readonly labels: readonly string[] | undefined;
  readonly report: LoadReport;
  /** How the run sampled that the weights are of: what clips are sampled by unless told otherwise. */
  readonly sampling: RunSampling;
}

export type PredictorTask =
  | { readonly task: "classify"; readonly views: ClipViews }
  | { readonly task: "features"; readonly views: FeatureViews };

/** To the thread: work on a clip, give up a piece of work, or stop. */
export type ToPredictor =
  | { readonly id: number; readonly clip: Source | DecodedClip; readonly work: PredictorTask }
  | { readonly cancel: number }
  | "stop";

/** From the thread. Its first message has the model, or the reason why there is none. */
export type FromPredictor =
  | { readonly model: PredictorModel }
  | { readonly failed: StoredError }
  | { readonly id: number; readonly probabilities: Float64Array }
  | { readonly id: number; readonly features: ClipFeatures }
  | { readonly id: number; readonly progress: FeatureProgress }
  | { readonly id: number; readonly error: StoredError };

/** An error on its way between threads: the parts of ours, or the message and stack of another. */
export type StoredError = { readonly parts: ErrorParts } | { readonly message: string; readonly stack?: string };

export function storeError(error: unknown): StoredError {
  if (error instanceof VideomaeError) {
    const { op, expected, got, hint } = error;
    return { parts: { op, expected, got, hint } };
  }
  if (error instanceof Error) return { message: error.message, stack: error.stack };
  return { message: String(error) };
}

export function restoreError(stored: StoredError): Error {
  if ("parts" in stored) return new VideomaeError(stored.parts);
  const error = new Error(stored.message);
  error.stack = stored.stack;
  return error;
}
