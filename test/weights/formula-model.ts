// Small models in files, every parameter of another value and none of them zero.

import { writeSafetensors } from "#lib/io/safetensors.js";
import { type ClassifierConfig, classifierShapes, resolveClassifierConfig } from "#lib/models/classifier-config.js";
import { type NamedShape, type PretrainConfig, parameterShapes, resolvePretrainConfig } from "#lib/models/sizes.js";
import { headerDescription } from "#lib/weights/describe-model.js";
import type { HubPreprocessing } from "#lib/weights/hub-config.js";
import { formulaParameter } from "../fixtures.js";

/** What any small model of these tests is like. */
export const small = { image: 32, patch: 8, frames: 4, width: 48, depth: 2, heads: 3 } as const;

export interface Described {
  readonly labels?: readonly string[];
  readonly preprocessing?: HubPreprocessing;
  readonly seed?: number;
}

/** Writes a classifier, or with 0 classes an encoder, under official names. */
export function writeClassifier(path: string, config: Partial<ClassifierConfig>, described: Described = {}): string {
  const whole = resolveClassifierConfig({ ...small, classes: 5, ...config });
  return write(path, classifierShapes(whole), whole, described);
}

/** Writes a pre-training model under official names. */
export function writePretrain(path: string, config: Partial<PretrainConfig> = {}, described: Described = {}): string {
  const decoder = { decoderWidth: 24, decoderDepth: 2, decoderHeads: 3 };
  const whole = resolvePretrainConfig({ ...small, ...decoder, ...config });
  return write(path, parameterShapes(whole), whole, described);
}

function write(
  path: string,
  parameters: readonly NamedShape[],
  config: ClassifierConfig | PretrainConfig,
  { labels, preprocessing = {}, seed = 7 }: Described,
): string {
  const tensors = parameters.map(([name, shape]) => ({
    ...{ name, shape, dtype: "F32" as const },
    data: formulaParameter(seed, name, shape),
  }));
  writeSafetensors(path, tensors, headerDescription({ config, labels, preprocessing }));
  return path;
}
