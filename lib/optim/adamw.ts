// AdamW over flat buffers (spec 5.3 to 5.5): parameters, gradients and both moments each live in one buffer, described
// by a segment table (name, offset, shape, learning-rate scale, decayed or not). One native pass updates all of them,
// applies the clip factor and clears the gradients. What changes from step to step (the count of updates, learning rate,
// weight decay) lies in tensors, and nothing is read back, so a step can be captured and replayed.
//
// In a bf16 model the bf16 copies of the parameters live in a buffer of the same layout, and the same pass rounds every
// updated parameter into it.
//
// Segments begin at multiples of 16 elements. The gaps between them hold zeros and never change; nothing outside this
// file sees them, and state is read and written by name, never by offset.
import { onReplay } from "../autograd/compile-step.js";
import { rejectUnknownOptions, VideomaeError } from "../errors.js";
import type { Module, Parameter } from "../nn/module.js";
import type { Device } from "../tensor/dtype.js";
import { emptyCache } from "../tensor/memory.js";
import { nativeOp } from "../tensor/native-op.js";
import { scope, unscoped } from "../tensor/scope.js";
import { keep, Tensor } from "../tensor/tensor.js";
import { groupParameters } from "./parameter-groups.js";
import { alignment, type NamedValues, readSegments, type Segment, writeSegments } from "./segments.js";

/** Options of `AdamW`. */
export interface AdamWOptions {
  /** Learning rate of steps that name none. Default 1e-3. */
  readonly lr?: number;
  /** Default [0.9, 0.999]; pre-training uses [0.9, 0.95]. */
  readonly betas?: readonly [number, number];
  /** Default 1e-8. */
  readonly eps?: number;
  /** Decoupled weight decay of the decayed parameters. Default 0.05. */
  readonly weightDecay?: number;
  /** Greatest global L2 norm of the gradient; without it, gradients are not clipped. */
  readonly clipNorm?: number;
}

/** Parameters that share their treatment. */
export interface OptimizerGroup {
  readonly parameters: readonly (readonly [name: string, parameter: Parameter])[];
  /** Whether weight decay applies. */
  readonly decayed: boolean;
  /** Multiplies the learning rate. Default 1. */
  readonly learningRateScale?: number;
}

/** What changes from step to step: numbers, or f64 () tensors, which a captured step reads anew at every replay. */
export interface OptimizerValues {
  readonly learningRate?: number | Tensor;
  readonly weightDecay?: number | Tensor;
}

/** What a step did. Owned like any result. */
export interface StepResult {
  /** (): global L2 norm of the gradients before clipping. */
  readonly gradientNorm: Tensor;
  /** i32 (): 1 when the norm or the loss was not finite, so nothing was updated. */
  readonly skipped: Tensor;
  /** i32 (parameters), in the order of `names`: how many values of its gradient made a step skip; else 0. */
  readonly nonFinite: Tensor;
}

/** All parameters of an optimiser, which owns them. */
export interface FlatParameters {
  /** (P) */
  readonly values: Tensor;
  readonly segments: readonly Segment[];
}

/**
 * The groups of a module's parameters: vectors, biases, logit scales and the mask token are not decayed (spec 5.3).
 * @param module  the whole model, so that names are those of its checkpoints
 * @param options  `layers`: layer-wise learning-rate decay for an encoder of `depth` blocks; `skip`: names that are not
 *   decayed whatever their shape, by default those that pre-training leaves out
 */
export function parameterGroups(
  module: Module,
  options: { skip?: readonly string[]; layers?: { depth: number; decay: number } } = {},
): OptimizerGroup[] {
  const parameters = new Map(module.namedParameters());
  const shapes = [...parameters].map(([name, p]) => [name, p.shape] as const);
  return groupParameters(shapes, { weightDecay: 1, ...options }).map((group) => ({
    parameters: group.names.map((name) => [name, parameters.get(name)!] as const),
    decayed: group.weightDecay > 0,
    learningRateScale: group.learningRateScale,
  }));
}

/**
 * AdamW with decoupled weight decay, over one flat buffer of all parameters: one pass measures the norm of the
 * gradient, one clips and updates. An update whose gradient is not finite is skipped on the device. f32, or bf16
 * compute copies beside f32 parameters.
 */
export class AdamW implements Disposable {
  readonly options: Required<Omit<AdamWOptions, "clipNorm">> & { readonly clipNorm: number | undefined };
  readonly #segments: readonly Segment[];
  readonly #table: { readonly segments: Tensor; readonly rateScales: Tensor };
  /** `copies` is bf16, and of no elements where no parameter has a copy; `updates` is i32 (). */
  readonly #flat: Record<"parameters" | "gradients" | "expAvg" | "expAvgSq" | "copies" | "updates", Tensor>;
  readonly #copied: readonly Parameter[];
  /** The parameters in the order of the groups. */
  readonly names: readonly string[];

  /**
   * Gathers the parameters into one buffer; modules go on using them as before.
   * @throws VideomaeError for unknown options, parameters given twice, or mixed dtypes
   */
  constructor(groups: readonly OptimizerGroup[], options: AdamWOptions = {}) {
    rejectUnknownOptions("AdamW", options, ["lr", "betas", "eps", "weightDecay", "clipNorm"]);
    this.options = { lr: 1e-3, betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0.05, clipNorm: undefined, ...options };
    const all = groups.flatMap((group) => group.parameters.map(([name, parameter]) => ({ name, parameter, group })));
    refuseRepeats(all.map(({ name }) => name));

    const segments: Segment[] = [];
    let end = 0;
    for (const { name, parameter } of all) {
      segments.push({ name, shape: parameter.shape, offset: end, size: parameter.value.size });
      end = Math.ceil((end + parameter.value.size) / alignment) * alignment;
    }
    this.#segments = segments;
    this.names = segments.map(({ name }) => name);
    const ends = segments.map((s) => Math.ceil((s.offset + s.size) / alignment));
    const { dtype, device } = all[0]?.parameter.value ?? { dtype: "f32", device: "cpu" };
    const mixed = all.find(({ parameter }) => parameter.value.dtype !== dtype);
    if (mixed) {
      const got = `${mixed.name} ${mixed.parameter.value}`;
      throw new VideomaeError({ op: "AdamW", expected: `every parameter of dtype ${dtype}`, got });
    }

    this.#copied = all.flatMap(({ parameter }) => (parameter.copy === undefined ? [] : [parameter]));
    const buffer = () => Tensor.zeros([end], dtype, device);
    const copies = () => Tensor.zeros([this.#copied.length > 0 ? end : 0], "bf16", device);
    const gathered = unscoped(() => ({ parameters: buffer(), copies: copies() }));
    for (const [i, { parameter }] of all.entries()) gather(parameter, segments[i], gathered);
    emptyCache(device); // where parameters were: no step has a use for blocks of those sizes
    [this.#flat, this.#table] = unscoped(() => [
      {
        ...gathered,
        ...{ gradients: buffer(), expAvg: buffer(), expAvgSq: buffer(), updates: Tensor.zeros([], "i32", device) },
      },
      {
        segments: Tensor.fromArray(
          Int32Array.from(all.flatMap(({ group }, i) => [ends[i], group.decayed ? 1 : 0])),
          [all.length, 2],
          "i32",
          device,
        ),
        rateScales: Tensor.fromArray(
          Float64Array.from(all, ({ group }) => group.learningRateScale ?? 1),
          [all.length],
          "f64",
          device,
        ),
      },
    ]);
    for (const [i, { parameter }] of all.entries()) {
      const { shape, offset } = segments[i];
      parameter.value.grad?.dispose();
      parameter.value.grad = unscoped(() => this.#flat.gradients.view(shape, offset));
    }
  }

  /**
   * Updates every parameter from its gradient and clears the gradients. A gradient norm or a loss that is not finite
   * changes no parameter and no moment.
   * @param values  of this step, numbers or f64 (); default those of the options
   * @param loss  (), what the gradients are of, when it is to be looked at too
   */
  step(values: OptimizerValues = {}, loss?: Tensor): StepResult {
    const { lr, betas, eps, weightDecay, clipNorm } = this.options;
    return scope(() => {
      const gradientNorm = nativeOp("gradNorm", { x: this.#flat.gradients }).y;
      const { skipped, nonFinite } = nativeOp("adamw", {
        ...this.#flat,
        ...this.#table,
        learningRate: scalar(values.learningRate ?? lr, gradientNorm.device),
        weightDecay: scalar(values.weightDecay ?? weightDecay, gradientNorm.device),
        gradientNorm,
        loss,
        beta1: betas[0],
        beta2: betas[1],
        eps,
        clipNorm: clipNorm ?? 0,
      });
      this.#markCopied();
      onReplay(() => this.#markCopied());
      return { gradientNorm: keep(gradientNorm), skipped: keep(skipped), nonFinite: keep(nonFinite) };
    });
  }

  /** Where the parameters are. */
  get device(): Device {
    return this.#flat.parameters.device;
  }

  /** Updates applied so far. On a device, waits for it. */
  get updates(): number {
    return this.#flat.updates.readSync()[0];
  }

  /** Forgets gradients without a step. */
  zeroGradients(): void {
    nativeOp("fill", { y: this.#flat.gradients, value: 0 });
  }

  /** The parameters as they lie in one buffer. Whoever writes it calls `roundCopies()` then. */
  get flat(): FlatParameters {
    return { values: this.#flat.parameters, segments: this.#segments };
  }

  /** Rounds the parameters into their bf16 copies, where there are any, as `step` does. */
  roundCopies(): void {
    if (this.#copied.length === 0) return;
    nativeOp("fill", { y: this.#flat.copies, value: 0 });
    nativeOp("accumulate", { y: this.#flat.copies, x: this.#flat.parameters }); // 0 + x, rounded once
    this.#markCopied();
  }

  /** The moments by parameter name. */
  moments(kind: "expAvg" | "expAvgSq"): NamedValues[] {
    return readSegments(this.#flat[kind], this.#segments);
  }

  /**
   * Takes on saved moments and the count of updates behind them.
   * @param read  gives a parameter's moment by name; it throws when there is none
   * @throws VideomaeError when a moment has another shape than its parameter
   */
  restore(
    updates: number,
    read: (kind: "expAvg" | "expAvgSq", name: string) => { shape: readonly number[]; data: Float32Array },
  ): void {
    for (const kind of ["expAvg", "expAvgSq"] as const) {
      writeSegments(`AdamW ${kind}`, this.#flat[kind], this.#segments, (name) => read(kind, name));
    }
    this.#flat.updates.write(Int32Array.of(updates));
  }

  /** Frees gradients and moments. The parameters stay with their modules. */
  dispose(): void {
    for (const tensor of [...Object.values(this.#flat), ...Object.values(this.#table)]) tensor.dispose();
  }

  /** The same as `dispose()`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Says that all copies are those of the parameters as they are now. */
  #markCopied(): void {
    for (const parameter of this.#copied) parameter.markCopied();
  }
}

/** Moves a parameter and its copy into their places in the buffers. */
function gather(
  { value, copy }: Parameter,
  { shape, offset }: Segment,
  buffers: Readonly<Record<"parameters" | "copies", Tensor>>,
): void {
  unscoped(() => {
    using place = buffers.parameters.view(shape, offset);
    place.assign(value);
    value.adopt(place);
    if (copy === undefined) return;
    using copied = buffers.copies.view(shape, offset);
    copy.adopt(copied); // it is stale now, and rounded anew when it is read
  });
}

/** f64 () */
function scalar(value: number | Tensor, device: Device): Tensor {
  return typeof value === "number" ? Tensor.fromArray([value], [], "f64", device) : value;
}

function refuseRepeats(names: readonly string[]): void {
  const repeated = names.find((name, i) => names.indexOf(name) !== i);
  if (repeated !== undefined) {
    throw new VideomaeError({ op: "AdamW", expected: "each parameter in one group", got: `"${repeated}" twice` });
  }
}
