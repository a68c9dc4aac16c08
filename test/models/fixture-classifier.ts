// A classifier as a fixture describes it, with the fixture's formula weights.

import { type ClassifierModel, classifierModel } from "#lib/models/classifier.js";
import type { RealType } from "#lib/nn/module.js";
import { formulaParameter } from "../fixtures.js";

interface FixtureConfig {
  readonly img: number;
  readonly patch: number;
  readonly frames: number;
  readonly dim: number;
  readonly depth: number;
  readonly heads: number;
  readonly classes: number;
  readonly seed: number;
  readonly mean_pooling?: boolean;
}

/** The model; hold it by `using`. */
export function fixtureClassifier(config: FixtureConfig, dtype: RealType = "f32"): ClassifierModel {
  const mean = config.mean_pooling ?? true;
  const model = classifierModel(
    {
      image: config.img,
      patch: config.patch,
      frames: config.frames,
      width: config.dim,
      depth: config.depth,
      heads: config.heads,
      classes: config.classes,
      pooling: mean ? "mean" : "first-token",
      norm: mean ? "pooled" : "tokens",
    },
    { dtype },
  );
  model.load(
    new Map(
      model
        .namedParameters()
        .map(([name, { shape }]) => [name, { shape, data: formulaParameter(config.seed, name, shape) }]),
    ),
  );
  return model;
}
