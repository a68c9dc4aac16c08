// A step that allocates nothing: the first call runs plainly, the second is recorded, and from the third on every
// allocation of the step is served from one planned block (native/core/allocator.h). Each combination of input shapes
// has a plan of its own.
import { binding, type NativeArena } from "../addon/binding.js";
import { VideomaeError } from "../errors.js";
import { scope, unscoped } from "../tensor/scope.js";
import { Tensor } from "../tensor/tensor.js";

/** Inputs of a step by name. */
export type StepInputs = Readonly<Record<string, Tensor>>;

interface Plan {
  readonly arena: NativeArena;
  /** Made by the first call that succeeds, like everything else that outlives a step. */
  outputs: Record<string, Tensor> | undefined;
}

/** Whether this thread is inside a compiled step. */
let running = false;

/** A compiled step: call it like the function it was made of. */
export interface CompiledStep<I extends StepInputs, V, O extends Record<string, Tensor>> extends Disposable {
  (inputs: I, values: V): O;
  /** Bytes of the planned blocks so far. */
  readonly arenaBytes: number;
}

/**
 * Compiles a training or evaluation step.
 *
 * `step(inputs, values)` must do the same work for inputs of the same shapes: `inputs` are tensors, `values` whatever
 * else changes (learning rate, flags). It must not be async, and tensors it makes must not outlive it except those it
 * returns. The returned tensors hold copies; they are overwritten by the next call with inputs of the same shapes.
 *
 * @throws VideomaeError when the step does other work than the recorded one, or leaves tensors alive
 */
export function compileStep<I extends StepInputs, V, O extends Record<string, Tensor>>(
  step: (inputs: I, values: V) => O,
): CompiledStep<I, V, O> {
  const plans = new Map<string, Plan>();

  const run = (inputs: I, values: V): O => {
    if (running) throw nested();
    running = true;
    try {
      return runPlan(planFor(plans, inputs), step, inputs, values);
    } finally {
      running = false;
    }
  };

  return Object.defineProperties(run, {
    arenaBytes: { get: () => [...plans.values()].reduce((sum, plan) => sum + plan.arena.bytes(), 0) },
    [Symbol.dispose]: {
      value: () => {
        if (running) throw nested();
        for (const plan of plans.values()) {
          for (const y of Object.values(plan.outputs ?? {})) y.dispose();
          plan.arena.clear();
        }
        plans.clear();
      },
    },
  }) as unknown as CompiledStep<I, V, O>;
}

function planFor(plans: Map<string, Plan>, inputs: StepInputs): Plan {
  const signature = describe(inputs);
  let plan = plans.get(signature);
  if (plan === undefined) {
    plan = { arena: binding.createArena(), outputs: undefined };
    plans.set(signature, plan);
  }
  return plan;
}

/** Runs the step: plainly the first time, then under its arena, which records once and replays from then on. */
function runPlan<I extends StepInputs, V, O extends Record<string, Tensor>>(
  plan: Plan,
  step: (inputs: I, values: V) => O,
  inputs: I,
  values: V,
): O {
  if (plan.outputs === undefined) return copyOut(plan, step, inputs, values);
  plan.arena.open();
  let left: number;
  let outputs: O;
  try {
    outputs = copyOut(plan, step, inputs, values);
  } finally {
    left = plan.arena.close();
  }
  if (left > 0) throw outliving(left);
  if (!plan.arena.complete()) throw otherWork("fewer allocations");
  plan.arena.plan();
  return outputs;
}

/** Runs the step in a scope of its own and copies what it returns into the plan's tensors. */
function copyOut<I extends StepInputs, V, O extends Record<string, Tensor>>(
  plan: Plan,
  step: (inputs: I, values: V) => O,
  inputs: I,
  values: V,
): O {
  return scope(() => {
    const results = step(inputs, values);
    if (results instanceof Promise) {
      results.catch(() => {}); // what it goes on to do fails on freed tensors; the error below says why
      throw new VideomaeError({ op: "compileStep", expected: "a synchronous step", got: "an async one" });
    }
    plan.outputs ??= unscoped(() =>
      Object.fromEntries(Object.entries(results).map(([name, y]) => [name, Tensor.zeros(y.shape, y.dtype)])),
    );
    const { outputs } = plan;
    if (describe(results) !== describe(outputs)) throw otherWork(`the outputs ${describe(results)}`);
    for (const [name, y] of Object.entries(results)) outputs[name].write(y.readSync());
    return outputs as O;
  });
}

/** Names, dtypes and shapes. */
function describe(tensors: Readonly<Record<string, Tensor>>): string {
  return Object.entries(tensors)
    .map(([name, x]) => `${name}=${x}`)
    .join(" ");
}

function nested(): VideomaeError {
  return new VideomaeError({
    op: "compileStep",
    expected: "one compiled step at a time",
    got: "a step inside another",
    hint: "call the inner function plainly",
  });
}

function otherWork(got: string): VideomaeError {
  return new VideomaeError({
    op: "compileStep",
    expected: "the same work as in the recorded step",
    got,
    hint: "a compiled step must do the same work for inputs of the same shape; run it uncompiled otherwise",
  });
}

function outliving(count: number): VideomaeError {
  return new VideomaeError({
    op: "compileStep",
    expected: "every tensor of the step freed at its end",
    got: `${count} blocks still alive`,
    hint: "do not keep() or store tensors inside the step; return them",
  });
}
