// An exponential moving average of all parameters (spec 5.9): average = decay average + (1 - decay) parameter, one pass over
// a buffer laid out like the optimiser's. To be used, averages and parameters change places: the same modules at the same
// addresses compute with the averages, in captured steps too, and no memory is needed for a third set.
import { VideomaeError } from "../errors.js";
import { nativeOp } from "../tensor/native-op.js";
import { scope, unscoped } from "../tensor/scope.js";
import { Tensor } from "../tensor/tensor.js";
import type { AdamW } from "./adamw.js";
import { type NamedValues, readSegments, writeSegments } from "./segments.js";

/** Averages of the parameters of an optimiser, in f32 or f64. To be measured they change places with the parameters. */
export class ParameterEma implements Disposable {
  readonly #optimizer: AdamW;
  /** (P) */
  readonly #average: Tensor;
  #applied = false;

  /** @param optimizer  whose parameters are averaged; the averages begin as these are now, f32 or f64 */
  constructor(optimizer: AdamW) {
    this.#optimizer = optimizer;
    const { values } = optimizer.flat;
    this.#average = unscoped(() => Tensor.zeros(values.shape, values.dtype, values.device));
    this.#average.assign(values);
  }

  /**
   * Takes the parameters into the averages; call it after each step of the optimiser.
   * @param decay  what is kept of the averages, in [0, 1]: a number, or f64 (), which a captured step reads anew at every
   *   replay
   * @throws VideomaeError for a decay out of bounds, and while the averages are applied
   */
  update(decay: number | Tensor): void {
    this.#refuseApplied("update");
    if (typeof decay === "number" && !(decay >= 0 && decay <= 1)) {
      throw new VideomaeError({ op: "ParameterEma", expected: "a decay from 0 to 1", got: `${decay}` });
    }
    const { values } = this.#optimizer.flat;
    scope(() => {
      const factor = typeof decay === "number" ? Tensor.fromArray([decay], [], "f64", values.device) : decay;
      nativeOp("ema", { average: this.#average, x: values, decay: factor });
    });
  }

  /**
   * Puts the averages in the place of the parameters until the result is disposed of. Do not train meanwhile, nor save.
   * @throws VideomaeError when they are applied already
   * @example
   * {
   *   using _averages = ema.apply();
   *   await validate(model);
   * }
   */
  apply(): Disposable {
    this.#refuseApplied("apply");
    this.#exchange();
    this.#applied = true;
    const restore = () => {
      if (!this.#applied) return;
      this.#applied = false;
      this.#exchange();
    };
    return { [Symbol.dispose]: restore };
  }

  /** The averages by parameter name. */
  averages(): NamedValues[] {
    this.#refuseApplied("averages");
    return readSegments(this.#average, this.#optimizer.flat.segments);
  }

  /**
   * Takes on saved averages.
   * @param read  gives a parameter's average by name; it throws when there is none
   * @throws VideomaeError when one has another shape than its parameter
   */
  restore(read: (name: string) => { shape: readonly number[]; data: Float32Array }): void {
    this.#refuseApplied("restore");
    writeSegments("average", this.#average, this.#optimizer.flat.segments, read);
  }

  /** Frees the averages. The parameters stay as they are. */
  dispose(): void {
    this.#average.dispose();
  }

  /** The same as `dispose()`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  #exchange(): void {
    nativeOp("exchange", { a: this.#optimizer.flat.values, b: this.#average });
    this.#optimizer.roundCopies();
  }

  #refuseApplied(what: string): void {
    if (!this.#applied) return;
    throw new VideomaeError({
      op: `ParameterEma.${what}`,
      expected: "parameters in their own place",
      got: "averages in their place",
      hint: "dispose of what apply() returned first",
    });
  }
}
