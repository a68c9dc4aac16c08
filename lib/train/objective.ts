// What a training is about, without data, files or time: a model, how its parameters are updated, and what is made smaller.
import type { StepInputs } from "../autograd/compile-step.js";
import type { AdamW, OptimizerGroup } from "../optim/adamw.js";
import { ParameterEma } from "../optim/ema.js";
import type { Tensor } from "../tensor/tensor.js";
import type { TrainedModel } from "./run-state.js";

/** @typeParam I  the tensors that a micro-batch is, besides what the model holds */
export interface Objective<M extends TrainedModel, I extends StepInputs> {
  readonly model: M;
  readonly groups: readonly OptimizerGroup[];
  /** Averages of the parameters are kept with this decay. */
  readonly emaDecay?: number;
  /** The loss of a micro-batch, f32 (). */
  loss(inputs: I): Tensor;
  /** Inputs of a micro-batch with the shapes and dtypes of any other and zeros in them, on the CPU. */
  blankInputs(): I;
}

/** The averages that an objective keeps, as the parameters are now; undefined where it keeps none. */
export function averageOf(
  { emaDecay }: Pick<Objective<TrainedModel, StepInputs>, "emaDecay">,
  optimizer: AdamW,
): (Disposable & { readonly ema: ParameterEma; readonly decay: number }) | undefined {
  if (emaDecay === undefined) return undefined;
  const ema = new ParameterEma(optimizer);
  return { ema, decay: emaDecay, [Symbol.dispose]: () => ema.dispose() };
}
