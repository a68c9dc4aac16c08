// The procedure of the training loop for any objective: a batch becomes inputs, and these go through the compiled steps.
import type { StepInputs } from "../autograd/compile-step.js";
import type { ClipBatch } from "../data/loader.js";
import type { AdamW } from "../optim/adamw.js";
import type { averageOf, Objective } from "./objective.js";
import type { TrainedModel } from "./run-state.js";
import type { Procedure } from "./training-loop.js";
import { trainingSteps } from "./training-steps.js";

/**
 * @param inputsOf  makes inputs of a batch; tensors among them that are not the batch's own are disposed of after the step
 * @param accumulate  micro-batches of an update
 * @param average  takes the parameters in after each update
 */
export function procedureOf<I extends StepInputs>(
  objective: Objective<TrainedModel, I>,
  inputsOf: (batch: ClipBatch) => I,
  optimizer: AdamW,
  accumulate: number,
  average: ReturnType<typeof averageOf>,
): Procedure & Disposable {
  const names = objective.model.namedParameters().map(([name]) => name);
  const steps = trainingSteps((inputs: I) => objective.loss(inputs), optimizer, accumulate, average);
  const withInputs = <T>(batch: ClipBatch, step: (inputs: I) => T): T => {
    const inputs = inputsOf(batch);
    try {
      return step(inputs);
    } finally {
      for (const tensor of Object.values(inputs)) if (tensor !== batch.video) tensor.dispose();
    }
  };
  return {
    accumulate: (batch) => withInputs(batch, (inputs) => steps.accumulate(inputs, undefined)),
    update: (batch, values) => withInputs(batch, (inputs) => steps.update(inputs, values)),
    blamed: (nonFinite) => {
      const bad = new Set(optimizer.names.filter((_, i) => nonFinite[i] > 0));
      return names.filter((name) => bad.has(name));
    },
    [Symbol.dispose]: () => steps[Symbol.dispose](),
  };
}
