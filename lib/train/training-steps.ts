// The two compiled steps of any training: one adds a micro-batch's gradients, the other adds the last one's and updates.
// The losses of an update are added up beside the gradients, so that a loss that is not finite stops the update where it
// is computed, without a word from this side.
import { backward } from "../autograd/backward.js";
import { type CompiledStep, compileStep, type StepInputs, type StepTensors } from "../autograd/compile-step.js";
import type { AdamW } from "../optim/adamw.js";
import type { ParameterEma } from "../optim/ema.js";
import { nativeOp } from "../tensor/native-op.js";
import { unscoped } from "../tensor/scope.js";
import { Tensor } from "../tensor/tensor.js";

/** What changes from update to update. */
export interface StepValues {
  readonly learningRate: number;
  readonly weightDecay: number;
}

/** Results of a micro-batch. They belong to the step. */
export type MicroBatchResults = Readonly<Record<"loss", Tensor>>;

/** Results of an update: the loss of its last micro-batch, and those of `AdamW.step`. */
export type UpdateResults = Readonly<Record<"loss" | "gradientNorm" | "skipped" | "nonFinite", Tensor>>;

export interface TrainingSteps<I extends StepInputs> extends Disposable {
  readonly accumulate: CompiledStep<I, Record<never, number>, MicroBatchResults>;
  readonly update: CompiledStep<I, StepValues, UpdateResults>;
}

/**
 * @param lossOf  the loss of a micro-batch, f32 ()
 * @param accumulate  micro-batches of an update, whose losses are averaged
 * @param average  takes the parameters in after each update
 */
export function trainingSteps<I extends StepInputs>(
  lossOf: (inputs: I) => Tensor,
  optimizer: AdamW,
  accumulate: number,
  average?: { readonly ema: ParameterEma; readonly decay: number },
): TrainingSteps<I> {
  const { device } = optimizer;
  const lossSum = unscoped(() => Tensor.zeros([], "f32", device)); // ()
  const gradients = (inputs: I) => {
    const loss = lossOf(inputs);
    backward(loss, Tensor.fromArray([1 / accumulate], [], "f32", device));
    nativeOp("accumulate", { y: lossSum, x: loss });
    return loss;
  };
  const steps = {
    accumulate: compileStep((inputs: I) => ({ loss: gradients(inputs) }), { device }),
    update: compileStep(
      (inputs: I, values: StepTensors<StepValues>) => {
        const loss = gradients(inputs);
        const results = optimizer.step(values, lossSum);
        average?.ema.update(average.decay);
        nativeOp("fill", { y: lossSum, value: 0 });
        return { loss, ...results };
      },
      { device },
    ),
  };
  return {
    ...steps,
    [Symbol.dispose]: () => {
      for (const step of Object.values(steps)) step[Symbol.dispose]();
      lossSum.dispose();
    },
  };
}
