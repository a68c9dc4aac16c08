// The base class of everything with parameters. A module registers its parameters and sub-modules under the names they
// have in checkpoints; walking the registrations gives the state dict, in the order they were made.
import { VideomaeError } from "../errors.js";
import { fnv1a } from "../random.js";
import type { Device, DType } from "../tensor/dtype.js";
import type { Initializer } from "./initializers.js";
import { Parameter } from "./parameter.js";

export { Parameter } from "./parameter.js";

/**
 * The element types a model can have. In a bf16 model activations and the matrices that products read are bf16; values of
 * parameters, their gradients, statistics and losses are f32, and so is what is computed with.
 */
export type RealType = Extract<DType, "f32" | "f64" | "bf16">;

/** How the parameters of a module begin. */
export interface MaterializeOptions {
  readonly seed?: number;
  readonly dtype?: RealType;
  readonly initialize?: boolean;
  /** Where the parameters are. Default "cpu". */
  readonly device?: Device;
}

/**
 * Extend it to write a module of your own:
 *
 * @example
 * class Head extends Module {
 *   readonly norm = this.child("norm", new LayerNorm(384));
 *   readonly weight = this.parameter("weight", [10, 384], uniform(0.05), { matrix: true });
 *   forward(x: Tensor): Tensor {                                    // (B, N, 384) -> (B, 10)
 *     return linear(mean(this.norm.forward(x), { axes: [1] }), this.weight.operand);
 *   }
 * }
 * using head = new Head().materialize({ seed: 0 });
 */
export abstract class Module implements Disposable {
  readonly #parameters = new Map<string, Parameter>();
  readonly #children = new Map<string, Module>();
  #training = true;

  /**
   * Declares a parameter. Its memory is made by `materialize()`; `value` throws until then.
   * @param name  in checkpoints, e.g. `weight` or `q_bias`
   * @param shape  of its value
   * @param initialize  draws its first value
   * @param options  `matrix`: whether it is multiplied by activations; read its `operand` then, which is bf16 in a bf16 model
   */
  protected parameter(
    name: string,
    shape: readonly number[],
    initialize: Initializer,
    { matrix = false }: { matrix?: boolean } = {},
  ): Parameter {
    this.#refuseTaken(name);
    const parameter = new Parameter(shape, initialize, matrix);
    this.#parameters.set(name, parameter);
    return parameter;
  }

  /** Registers a sub-module. */
  protected child<M extends Module>(name: string, module: M): M {
    this.#refuseTaken(name);
    this.#children.set(name, module);
    return module;
  }

  /** Every parameter with its full name: a module's own first, then its children's, in order of declaration. */
  namedParameters(prefix = ""): [name: string, parameter: Parameter][] {
    const own = [...this.#parameters].map(([name, p]): [string, Parameter] => [prefix + name, p]);
    const below = [...this.#children].flatMap(([name, child]) => child.namedParameters(`${prefix}${name}.`));
    return [...own, ...below];
  }

  /** Every module below this one and itself, with full names; itself is "". */
  namedModules(prefix = ""): [name: string, module: Module][] {
    const below = [...this.#children].flatMap(([name, child]) =>
      child.namedModules(prefix ? `${prefix}.${name}` : name),
    );
    return [[prefix, this], ...below];
  }

  /**
   * Makes the memory of every parameter and draws initial values, each from a stream of its own name.
   * @param options  `initialize`: false leaves zeros, for values that are loaded next
   */
  materialize({ seed = 0, dtype = "f32", initialize = true, device = "cpu" }: MaterializeOptions = {}): this {
    const [low, high] = [seed % 2 ** 32, Math.floor(seed / 2 ** 32)]; // kernels take 32 bits of each
    for (const [name, parameter] of this.namedParameters()) {
      parameter.materialize(dtype, initialize ? { seed: low, stream: (fnv1a(name) ^ high) >>> 0 } : undefined, device);
    }
    return this;
  }

  /** Whether random ops (dropout, drop path) are active. */
  get training(): boolean {
    return this.#training;
  }

  /** Turns training behaviour on or off for this module and all below. */
  train(on = true): this {
    this.#training = on;
    for (const child of this.#children.values()) child.train(on);
    return this;
  }

  /**
   * For inference on the CPU: packs the matrices once, so that products need not. A parameter that is written later is read
   * as it is again, until this is called again.
   */
  packWeights(): this {
    for (const [, parameter] of this.namedParameters()) parameter.pack();
    return this;
  }

  /**
   * Copies values in by name.
   * @param values  of exactly this module's names and shapes, as f32 or f64 numbers
   * @throws VideomaeError naming every missing, unknown or misshapen entry
   */
  load(values: ReadonlyMap<string, { shape: readonly number[]; data: Float32Array | Float64Array }>): void {
    const parameters = new Map(this.namedParameters());
    const missing = [...parameters.keys()].filter((name) => !values.has(name));
    const unknown = [...values.keys()].filter((name) => !parameters.has(name));
    const misshapen = [...values].filter(([name, v]) => {
      const p = parameters.get(name);
      return p !== undefined && (v.shape.join() !== p.shape.join() || v.data.length !== p.value.size);
    });
    if (missing.length + unknown.length + misshapen.length > 0) {
      const list = (title: string, names: string[]) =>
        names.length > 0
          ? `${names.length} ${title} (${names.slice(0, 3).join(", ")}${names.length > 3 ? ", ..." : ""})`
          : "";
      throw new VideomaeError({
        op: "load",
        expected: "weights with the model's names and shapes",
        got: [
          list("missing", missing),
          list("unknown", unknown),
          list(
            "of another shape",
            misshapen.map(([n]) => n),
          ),
        ]
          .filter(Boolean)
          .join(", "),
        hint: "check that the weights are of the same model size and configuration",
      });
    }
    for (const [name, { data }] of values) {
      const value = parameters.get(name)!.value;
      value.write(value.dtype === "f64" ? Float64Array.from(data) : Float32Array.from(data));
    }
  }

  /** Frees every parameter. */
  dispose(): void {
    for (const [, parameter] of this.namedParameters()) parameter.dispose();
  }

  /** The same as `dispose()`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  #refuseTaken(name: string): void {
    if (name === "" || name.includes(".") || this.#parameters.has(name) || this.#children.has(name)) {
      throw new VideomaeError({ op: "module", expected: "a new name without a dot", got: `"${name}"` });
    }
  }
}
