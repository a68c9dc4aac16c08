// The plan of a step for inputs of one set of shapes: the memory that it needs, on a device the graph that it is
// captured in, and the tensors that hold its results. It is made by the first calls.
import { binding, type NativeArena, type NativeGraph } from "../addon/binding.js";
import { VideomaeError } from "../errors.js";
import type { Device } from "../tensor/dtype.js";
import { scope, unscoped } from "../tensor/scope.js";
import { sameDevice, Tensor } from "../tensor/tensor.js";
import { withRandomKey } from "./random-key.js";
import { type StepInputs, StepOperands, type StepTensors } from "./step-operands.js";

/** What is compiled. */
export type Step<I, V, O> = (inputs: I, values: StepTensors<V>) => O;

export class StepPlan<I extends StepInputs, V extends Record<keyof V, number>, O extends Record<string, Tensor>> {
  readonly #device: Device;
  readonly #arena: NativeArena;
  readonly #graph: NativeGraph | undefined; // of a device
  readonly #operands: StepOperands<I, V>;
  /** Made by the first call that succeeds, like everything else that outlives a step. */
  #outputs: Record<string, Tensor> | undefined;
  #replayed: (() => void)[] = [];
  #capturing = false;

  /** @param inputs, values  those of the first call */
  constructor(device: Device, inputs: I, values: V) {
    this.#device = device;
    this.#arena = binding.createArena(device);
    this.#graph = device === "cpu" ? undefined : binding.createGraph(device);
    this.#operands = new StepOperands(device, inputs, values);
  }

  get arenaBytes(): number {
    return this.#arena.bytes();
  }

  /** Whether the step is being captured, in this call. */
  get capturing(): boolean {
    return this.#capturing;
  }

  /** Something to be done after every replay of the step that is being captured. */
  onReplay(callback: () => void): void {
    this.#replayed.push(callback);
  }

  /** Runs the step: plainly, recording its memory, replaying that, or by its graph. */
  run(step: Step<I, V, O>, inputs: I, values: V): O {
    const given = this.#operands.set(inputs, values);
    const work = () => withRandomKey(given.key, () => this.#copyOut(step, given.inputs));
    if (this.#outputs === undefined) this.#inGraph(false, work);
    else if (!this.#graph?.captured()) this.#inGraph(this.#arena.planned(), () => this.#inArena(work));
    if (this.#graph?.captured()) {
      this.#graph.launch();
      for (const callback of this.#replayed) callback();
    }
    return this.#outputs as O;
  }

  dispose(): void {
    this.#graph?.clear();
    for (const y of Object.values(this.#outputs ?? {})) y.dispose();
    this.#operands.dispose();
    this.#arena.clear();
  }

  /** On a device, lets the step run as one that will be captured, or captures it: then nothing is done yet. */
  #inGraph(capture: boolean, work: () => void): void {
    const graph = this.#graph;
    if (graph === undefined) {
      work();
      return;
    }
    graph.begin(capture);
    this.#capturing = capture;
    this.#replayed = [];
    try {
      work();
      graph.end();
    } catch (error) {
      graph.discard();
      throw error;
    } finally {
      this.#capturing = false;
    }
  }

  #inArena(work: () => void): void {
    this.#arena.open();
    let left: number;
    try {
      work();
    } finally {
      left = this.#arena.close();
    }
    if (left > 0) throw outliving(left);
    if (!this.#arena.complete()) throw otherWork("fewer allocations");
    this.#arena.plan();
  }

  /** Runs the step in a scope of its own and copies what it returns into the plan's tensors. */
  #copyOut(step: Step<I, V, O>, inputs: I): void {
    scope(() => {
      const results = step(inputs, this.#operands.values);
      if (results instanceof Promise) {
        results.catch(() => {}); // what it goes on to do fails on freed tensors; the error below says why
        throw new VideomaeError({ op: "compileStep", expected: "a synchronous step", got: "an async one" });
      }
      for (const [name, y] of Object.entries(results)) {
        if (this.#graph && !sameDevice(y.device, this.#device)) throw elsewhere(name, y, this.#device);
      }
      this.#outputs ??= unscoped(() =>
        Object.fromEntries(
          Object.entries(results).map(([name, y]) => [name, Tensor.zeros(y.shape, y.dtype, y.device)]),
        ),
      );
      if (describe(results) !== describe(this.#outputs)) throw otherWork(`the outputs ${describe(results)}`);
      for (const [name, y] of Object.entries(results)) this.#outputs[name].assign(y);
    });
  }
}

/** Names, dtypes and shapes. */
export function describe(tensors: Readonly<Record<string, Tensor>>): string {
  return Object.entries(tensors)
    .map(([name, x]) => `${name}=${x}`)
    .join(" ");
}

function elsewhere(name: string, y: Tensor, device: Device): VideomaeError {
  return new VideomaeError({
    op: "compileStep",
    expected: `results on ${device}`,
    got: `${name} on ${y.device}`,
    hint: "what a step computes elsewhere would not be computed again when it is replayed",
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
