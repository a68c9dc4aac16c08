// A tensor that is trained: its value, its gradient, and how it begins. In a bf16 model the value is f32 like that of any
// other, and a matrix has a bf16 copy beside it, which products read. The copy is derived: gradients go to the value, and
// whoever reads the copy gets it as the value is now, because it is rounded anew when the value was written since. An
// optimiser that writes both says so, and nothing is rounded twice.
import { VideomaeError } from "../errors.js";
import { packWeight } from "../ops/linear.js";
import type { Device } from "../tensor/dtype.js";
import { instructionSet } from "../tensor/memory.js";
import { nativeOp } from "../tensor/native-op.js";
import { scope, unscoped } from "../tensor/scope.js";
import { Tensor } from "../tensor/tensor.js";
import type { Initializer } from "./initializers.js";
import type { RealType } from "./module.js";

/**
 * A tensor that is learnt. `Module.parameter` declares one, and `Module.materialize` makes its memory; before, it has a
 * shape and no value.
 */
export class Parameter implements Disposable {
  readonly shape: readonly number[];
  /** Whether products read it. */
  readonly matrix: boolean;
  readonly #initialize: Initializer;
  #value: Tensor | undefined;
  #copy: Tensor | undefined;
  /** The version of the value that the copy was made of. */
  #copied = 0;
  /** What was made of the operand of that version under that instruction set. */
  #packed: { tensor: Tensor; version: number; set: string } | undefined;

  constructor(shape: readonly number[], initialize: Initializer, matrix = false) {
    this.shape = shape;
    this.matrix = matrix;
    this.#initialize = initialize;
  }

  /** The leaf tensor, f32 or f64. Throws before `materialize()`. */
  get value(): Tensor {
    if (this.#value === undefined) {
      throw new VideomaeError({
        op: "parameter",
        expected: "memory for this parameter",
        got: "none",
        hint: "call materialize() on the module that holds it, once, before its first use",
      });
    }
    return this.#value;
  }

  /** What products read: the value, or the bf16 copy of it where there is one, up to date. Throws before `materialize()`. */
  get operand(): Tensor {
    const { value } = this;
    if (this.#copy === undefined) return value;
    if (value.version !== this.#copied) this.#round(value, this.#copy);
    this.#copy.requiresGrad = value.requiresGrad;
    return this.#copy;
  }

  /** The bf16 copy, up to date or not; undefined where products read the value itself. */
  get copy(): Tensor | undefined {
    return this.#copy;
  }

  /**
   * Packs a matrix (O, I) on the CPU for the products of inference; other parameters are left alone. Costs its memory once
   * more, or 1.5 times in f32 on processors with AMX.
   */
  pack(): void {
    this.#packed?.tensor.dispose();
    this.#packed = undefined;
    const { operand } = this;
    if (!this.matrix || this.shape.length !== 2 || operand.device !== "cpu") return;
    this.#packed = { tensor: unscoped(() => packWeight(operand)), version: operand.version, set: instructionSet() };
  }

  /** The packed matrix, if there is one and it is up to date. */
  get packed(): Tensor | undefined {
    const packed = this.#packed;
    const current = packed?.version === this.operand.version && packed.set === instructionSet();
    return current ? packed.tensor : undefined;
  }

  /** Says that the copy is the value, rounded: an optimiser has written both. */
  markCopied(): void {
    this.#copied = this.value.version;
  }

  /**
   * Makes its memory, and draws initial values from `key`; zeros without one. They are drawn on the CPU, so that they are
   * the same on every device.
   */
  materialize(dtype: RealType, key: { seed: number; stream: number } | undefined, device: Device = "cpu"): void {
    this.dispose();
    unscoped(() => {
      const wide = dtype === "f64" ? "f64" : "f32";
      const value = Tensor.zeros(this.shape, wide, device);
      if (key !== undefined) {
        using drawn = device === "cpu" ? value.view(this.shape) : Tensor.zeros(this.shape, wide);
        this.#initialize(drawn, key.seed, key.stream);
        if (device !== "cpu") value.write(drawn.readSync());
      }
      value.requiresGrad = true;
      this.#value = value;
      if (dtype !== "bf16" || !this.matrix) return;
      this.#copy = Tensor.zeros(this.shape, "bf16", device);
      this.#copy.master = value;
    });
  }

  /** Frees the value and its bf16 copy. */
  dispose(): void {
    this.#value?.dispose();
    this.#copy?.dispose();
    this.#packed?.tensor.dispose();
    this.#packed = undefined;
    this.#value = undefined;
    this.#copy = undefined;
  }

  /** The same as `dispose()`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  #round(value: Tensor, copy: Tensor): void {
    scope(() => {
      nativeOp("fill", { y: copy, value: 0 });
      nativeOp("accumulate", { y: copy, x: value }); // 0 + x, rounded once
    });
    this.#copied = value.version;
  }
}
