// A step that allocates nothing, and on a device runs without TypeScript. The first call runs plainly, the second is
// recorded: from then on every allocation is served from one planned block (native/core/arena.h). On a device the third
// call is captured as a graph (native/core/graph.h), and from then on a call sends its inputs and launches that.
//
// What changes from call to call reaches the step in tensors that stay where they are: inputs, values, and the random
// key. Each combination of input shapes has a plan of its own.
import { rejectUnknownOptions, VideomaeError } from "../errors.js";
import type { Device } from "../tensor/dtype.js";
import type { Tensor } from "../tensor/tensor.js";
import type { StepInputs } from "./step-operands.js";
import { describe, type Step, StepPlan } from "./step-plan.js";

export type { StepInputs, StepTensors } from "./step-operands.js";

/** Options of `compileStep`. */
export interface CompileOptions {
  /** Where the step works; everything it refers to is there. Default "cpu". */
  readonly device?: Device;
}

/** A compiled step: call it like the function it was made of, with numbers as values. */
export interface CompiledStep<I extends StepInputs, V, O extends Record<string, Tensor>> extends Disposable {
  (inputs: I, values?: V): O;
  /** Bytes of the planned blocks so far. */
  readonly arenaBytes: number;
}

/** What may be done after replays, by whoever is called in a step. */
interface Replayable {
  readonly capturing: boolean;
  onReplay(callback: () => void): void;
}

/** The plan of the compiled step that this thread is inside of. */
let running: Replayable | undefined;

/**
 * Compiles a training or evaluation step.
 *
 * `step(inputs, values)` must do the same work for inputs of the same shapes. `inputs` are tensors, on the CPU or on the
 * step's device, where the step gets them. `values` are numbers that change from call to call (a learning rate); the step
 * gets each as a tensor, f64 (). It must not be async, and tensors it makes must not outlive it except those it returns.
 * The returned tensors hold copies; they are overwritten by the next call with inputs of the same shapes. The random key
 * is the one in force at the call.
 *
 * On a device the function itself is called three times for inputs of the same shapes. What it does with numbers of its
 * own, or with tensors that it uploads, is done in the same way ever after; and it must not read a tensor, which would
 * wait for the device.
 *
 * @throws VideomaeError when the step does other work than the recorded one, leaves tensors alive, waits for the device,
 *   or works elsewhere
 */
export function compileStep<
  I extends StepInputs,
  O extends Record<string, Tensor>,
  V extends Record<keyof V, number> = Record<never, number>,
>(step: Step<I, V, O>, options: CompileOptions = {}): CompiledStep<I, V, O> {
  rejectUnknownOptions("compileStep", options, ["device"]);
  const { device = "cpu" } = options;
  const plans = new Map<string, StepPlan<I, V, O>>();

  const run = (inputs: I, values = {} as V): O => {
    if (running) throw nested();
    const signature = `${describe(inputs)}; ${Object.keys(values)}`;
    const known = plans.get(signature);
    const plan = known ?? new StepPlan(device, inputs, values);
    running = plan;
    try {
      const outputs = plan.run(step, inputs, values);
      plans.set(signature, plan);
      return outputs;
    } catch (error) {
      if (known === undefined) plan.dispose();
      throw error;
    } finally {
      running = undefined;
    }
  };

  return Object.defineProperties(run, {
    arenaBytes: { get: () => [...plans.values()].reduce((sum, plan) => sum + plan.arenaBytes, 0) },
    [Symbol.dispose]: {
      value: () => {
        if (running) throw nested();
        for (const plan of plans.values()) plan.dispose();
        plans.clear();
      },
    },
  }) as unknown as CompiledStep<I, V, O>;
}

/**
 * Inside a step that is being captured: `callback` is called after every replay of it, the first included. For what code
 * knows about tensors that the step changes. Elsewhere it does nothing: what calls it is then run itself.
 */
export function onReplay(callback: () => void): void {
  if (running?.capturing) running.onReplay(callback);
}

function nested(): VideomaeError {
  return new VideomaeError({
    op: "compileStep",
    expected: "one compiled step at a time",
    got: "a step inside another",
    hint: "call the inner function plainly",
  });
}
