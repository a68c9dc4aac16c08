// Tensor: an immutable description (shape, dtype, device) and a handle to native memory with an explicit end of life.
import { binding, type Handle, type NumberArray } from "../addon/binding.js";
import { VideomaeError } from "../errors.js";
import { arrayFor, arrayOf, type Device, type DType, dtypeOf, numberOf } from "./dtype.js";
import { ready } from "./kernels.js";
import { unwatch, watch } from "./leaks.js";
import { disown, type Owned, own, promote } from "./scope.js";

/** How a tensor was made (a node of the autograd tape). The tensor holds it, and says when it no longer does. */
export interface History {
  release(): void;
}

let live = 0;

/** How many tensors are alive in this thread. */
export function liveTensors(): number {
  return live;
}

/**
 * A contiguous, row-major n-dimensional array in native memory.
 *
 * Made inside a `scope()` it dies with the scope; made outside it is the caller's: hold it with `using`, or call
 * `dispose()`.
 */
export class Tensor implements Owned, Disposable {
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly device: Device;
  /** Whether gradients are wanted for this tensor (a leaf), or flow through it. */
  requiresGrad = false;
  /** The gradient of the last backward pass, same shape; only on leaves with requiresGrad. */
  grad: Tensor | undefined;
  /** The leaf of which this one is a rounded copy: gradients with respect to the copy are added to those of the leaf. */
  master: Tensor | undefined;
  /** How this tensor was made, when gradients flow through it. */
  history: History | undefined;
  #handle: Handle | undefined;
  #watched = false;

  /** Not for users: tensors come from `fromArray`, `zeros` and ops. */
  constructor(handle: Handle) {
    const { shape, dtype, device } = binding.describe(handle);
    this.shape = shape;
    this.dtype = dtype as DType;
    this.device = device as Device;
    this.#handle = handle;
    live++;
    if (!own(this)) {
      watch(this);
      this.#watched = true;
    }
  }

  /**
   * A tensor with a copy of `data` in row-major order.
   * @param data  bf16 elements as their bits (Uint16Array), or numbers to be rounded
   * @param dtype  by default that of the array; a plain number[] becomes f32
   * @throws VideomaeError when the number of elements differs from the shape's, or there is no such device
   */
  static fromArray(
    data: NumberArray | readonly number[],
    shape: readonly number[],
    dtype?: DType,
    device: Device = "cpu",
  ): Tensor {
    const type = dtype ?? (ArrayBuffer.isView(data) ? dtypeOf(data as NumberArray) : "f32");
    const array = ArrayBuffer.isView(data) ? (data as NumberArray) : arrayOf(data, type);
    return new Tensor(binding.fromArray(array, shape, type, ready(device, "fromArray")));
  }

  /** A tensor of zeros. */
  static zeros(shape: readonly number[], dtype: DType = "f32", device: Device = "cpu"): Tensor {
    return new Tensor(binding.zeros(shape, dtype, ready(device, "zeros")));
  }

  /** The native handle. Throws when the tensor has been freed. */
  get handle(): Handle {
    if (this.#handle === undefined) {
      throw new VideomaeError({
        op: "tensor",
        expected: `a live tensor ${this}`,
        got: "a freed one",
        hint: "it was disposed of, or its scope() has ended: use keep() to carry a tensor out of a scope",
      });
    }
    return this.#handle;
  }

  get alive(): boolean {
    return this.#handle !== undefined;
  }

  get rank(): number {
    return this.shape.length;
  }

  /** The number of elements. */
  get size(): number {
    return this.shape.reduce((product, n) => product * n, 1);
  }

  /** Frees the memory unless another tensor shares it. A second call does nothing. */
  dispose(): void {
    if (this.#handle === undefined) return;
    binding.dispose(this.#handle);
    this.#handle = undefined;
    live--;
    if (this.#watched) unwatch(this);
    disown(this);
    this.history?.release();
    this.history = undefined;
    this.grad?.dispose();
    this.grad = undefined;
  }

  /** The same as `dispose()`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Hands this tensor, with what its gradients need, from its scope to the one around or to the caller. */
  keep(): this {
    if (promote(this) === "caller" && !this.#watched) {
      watch(this);
      this.#watched = true;
    }
    return this;
  }

  /**
   * A tensor on the same memory, from element `offset` on, with another shape. It has no history.
   * @throws VideomaeError when it would reach past the end
   */
  view(shape: readonly number[], offset = 0): Tensor {
    return new Tensor(binding.view(this.handle, offset, shape));
  }

  /**
   * The elements on another device; on the same one, a tensor on the same memory. It has no history: in a model, use the
   * op `toDevice`.
   * @throws VideomaeError when there is no such device
   */
  to(device: Device): Tensor {
    if (sameDevice(this.device, device)) return this.view(this.shape);
    return new Tensor(binding.copyTo(this.handle, ready(device, "to")));
  }

  /** Overwrites the elements with those of a tensor of the same dtype, shape and device. */
  assign(source: Tensor): void {
    binding.assign(this.handle, source.handle);
  }

  /**
   * Copies the elements out, as they are after all that was begun before. On a device nothing waits but the promise; the
   * tensor may be overwritten or freed at once. bool arrives as 0 and 1, bf16 as its bits.
   * @throws VideomaeError (the promise) when a kernel has met an index out of range
   */
  read(): Promise<NumberArray> {
    return binding.readLater(this.handle, arrayFor(this.dtype, this.size));
  }

  /** As `read()`, at once: on a device, this thread waits for it. */
  readSync(): NumberArray {
    return this.readInto(arrayFor(this.dtype, this.size));
  }

  /** As `readSync()`, into an array of the elements, which may be a view of shared memory; returns it. */
  readInto<A extends NumberArray>(target: A): A {
    return binding.readInto(this.handle, target);
  }

  /** The only element of a tensor of size 1. */
  async item(): Promise<number> {
    if (this.size !== 1) throw new VideomaeError({ op: "item", expected: "a tensor of one element", got: `${this}` });
    return numberOf((await this.read())[0], this.dtype);
  }

  /** Overwrites the elements in place. */
  write(data: NumberArray): void {
    binding.write(this.handle, data);
  }

  /**
   * The version of the contents: another number after every write to the memory that the tensor lies in, which views and
   * an optimiser's buffer may share. What is derived from the contents tells by it whether it is stale.
   */
  get version(): number {
    return binding.version(this.handle);
  }

  /**
   * Moves this tensor onto other memory, whose contents it takes on: how an optimiser gathers parameters in one buffer.
   * Views of the old memory stay with the old memory.
   */
  adopt(memory: Tensor): void {
    if (memory.toString() !== this.toString()) {
      throw new VideomaeError({ op: "adopt", expected: `memory for ${this}`, got: `${memory}` });
    }
    binding.dispose(this.handle);
    this.#handle = binding.view(memory.handle, 0, memory.shape);
  }

  /** `f32[8, 1568, 768]` */
  toString(): string {
    return `${this.dtype}[${this.shape.join(", ")}]`;
  }
}

/** Whether two names are of one device: `cuda` and `cuda:0` are. */
export function sameDevice(a: Device, b: Device): boolean {
  const full = (device: Device) => (device === "cuda" ? "cuda:0" : device);
  return full(a) === full(b);
}

/** Carries a tensor out of the scope it was made in, to the scope around or to the caller. */
export function keep<T extends Tensor>(tensor: T): T {
  return tensor.keep();
}
