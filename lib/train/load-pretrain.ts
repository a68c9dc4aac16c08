// The model of a pre-training run's checkpoint, for evaluation.
import { VideomaeError } from "../errors.js";
import { type Checkpoint, openCheckpoint } from "../io/checkpoint.js";
import { PretrainModel } from "../models/pretrain.js";
import { type PretrainConfig, parameterShapes } from "../models/sizes.js";
import type { Compute } from "./compute.js";
import { type PretrainState, pretrainStage } from "./pretrain.js";
import { stateOf } from "./run-state.js";

/**
 * A model with a checkpoint's weights, for evaluation. The caller disposes of it.
 * @param compute  where the model is and in what it computes, whatever the run did: by default the CPU, in f32
 */
export function loadPretrainModel(
  path: string,
  compute: Partial<Compute> = {},
): { model: PretrainModel; state: PretrainState } {
  using checkpoint = openCheckpoint(path);
  const state = stateOf(checkpoint, pretrainStage);
  checkShapes(checkpoint, state.model);
  const model = new PretrainModel(state.model, { ...compute, position: state.config.position, initialize: false });
  try {
    model.load(new Map(checkpoint.names("model").map((name) => [name, checkpoint.read("model", name)])));
  } catch (error) {
    model.dispose();
    throw error;
  }
  return { model: model.train(false), state };
}

/** Checks that a checkpoint holds the weights of a model before any memory is taken for it. */
function checkShapes(checkpoint: Checkpoint, config: PretrainConfig): void {
  const stored = checkpoint.names("model").length;
  const expected = config.depth + config.decoderDepth <= stored ? parameterShapes(config) : undefined;
  const differing = expected?.find(([name, shape]) => `${shape}` !== `${checkpoint.shape("model", name)}`);
  if (expected?.length === stored && differing === undefined) return;
  throw new VideomaeError({
    op: `checkpoint ${checkpoint.path}`,
    expected: "the weights of the model it describes",
    got: differing === undefined ? `${stored} weights` : `another shape of ${differing[0]}`,
    hint: "the file was not written by videomae: use another checkpoint",
  });
}
