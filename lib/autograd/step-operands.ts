// What reaches a compiled step from outside: its inputs, its values, the random key. The step reads tensors that are the
// same at every call and are overwritten before it. On the CPU inputs are the caller's own tensors; on a device they go
// up through staging buffers, while the step before is computed (native/core/staging.h).
import { binding, type NativeStaging } from "../addon/binding.js";
import { VideomaeError } from "../errors.js";
import type { Device } from "../tensor/dtype.js";
import { unscoped } from "../tensor/scope.js";
import { Tensor } from "../tensor/tensor.js";
import { keyNumbers, randomKey } from "./random-key.js";

/** Inputs of a step by name. */
export type StepInputs = Readonly<Record<string, Tensor>>;

/** Values of a step by name: numbers, as the step reads them f64 (). */
export type StepTensors<V> = { readonly [K in keyof V]: Tensor };

export class StepOperands<I extends StepInputs, V extends Record<keyof V, number>> {
  readonly values: StepTensors<V>;
  readonly #names: readonly (keyof V)[];
  readonly #numbers: Tensor; // f64 (values)
  readonly #key: Tensor; // f64 (3)
  readonly #staging: NativeStaging | undefined;
  /** On a device, all that the step reads there: inputs, values, key. */
  readonly #staged: readonly Tensor[];

  /** @param inputs, values  those of the first call */
  constructor(device: Device, inputs: I, values: V) {
    this.#names = Object.keys(values) as (keyof V)[];
    if (device !== "cpu") {
      const numbers = [this.#names.length, 3].map((length) => ({ shape: [length], dtype: "f64" }));
      this.#staging = binding.createStaging(device, [...Object.values(inputs).map(described), ...numbers]);
    }
    this.#numbers = unscoped(() => Tensor.zeros([this.#names.length], "f64"));
    this.#key = unscoped(() => Tensor.zeros([3], "f64"));
    this.#staged = unscoped(() => this.#staging?.tensors.map((handle) => new Tensor(handle)) ?? []);
    const numbers = this.#staged.at(-2) ?? this.#numbers;
    this.values = unscoped(
      () => Object.fromEntries(this.#names.map((name, i) => [name, numbers.view([], i)])) as StepTensors<V>,
    );
  }

  /** Sets what the next step reads; returns its inputs and its random key. */
  set(inputs: I, values: V): { inputs: I; key: Tensor } {
    this.#numbers.write(Float64Array.from(this.#names, (name) => values[name]));
    const given = randomKey();
    const key = given instanceof Tensor ? given : this.#key;
    if (!(given instanceof Tensor)) this.#key.write(keyNumbers(given));
    const staging = this.#staging;
    if (staging === undefined) return { inputs, key };
    for (const [i, x] of [...Object.values(inputs), this.#numbers, key].entries()) staging.put(i, x.handle);
    staging.send();
    const staged = Object.fromEntries(Object.keys(inputs).map((name, i) => [name, this.#staged[i]])) as I;
    return { inputs: staged, key: this.#staged.at(-1)! };
  }

  dispose(): void {
    for (const tensor of [...Object.values<Tensor>(this.values), ...this.#staged, this.#numbers, this.#key]) {
      tensor.dispose();
    }
    this.#staging?.clear();
  }
}

function described(x: Tensor): { shape: readonly number[]; dtype: string } {
  if (x.requiresGrad) {
    throw new VideomaeError({
      op: "compileStep",
      expected: "inputs without gradients",
      got: `${x}, which requires one`,
      hint: "what is trained is not an input: let the step refer to it",
    });
  }
  return { shape: x.shape, dtype: x.dtype };
}
