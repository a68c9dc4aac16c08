// The native module as TypeScript sees it, loaded once. Native errors are turned into VideomaeError here and
// nowhere else.
import { VideomaeError } from "../errors.js";
import { findBinary, noBinary } from "./find-binary.js";

/** A native tensor, opaque. The class Tensor wraps it. */
export type Handle = { readonly __handle: unique symbol };

/** What an op takes: handles, numbers, booleans, words, lists. */
export type OpArguments = Readonly<Record<string, unknown>>;

/** A block of memory that replays a recorded step (see compileStep). */
export interface NativeArena {
  open(): void;
  /** Returns how many of its blocks are still alive. */
  close(): number;
  /** Packs what the last recorded pass did; does nothing when there is a plan. */
  plan(): void;
  planned(): boolean;
  /** Whether the last pass made all the allocations of the plan, where there is one. */
  complete(): boolean;
  /** Forgets the plan and gives its memory back. */
  clear(): void;
  bytes(): number;
}

/** A step on a device: from begin() to end(), its kernels are run, or recorded to be launched. */
export interface NativeGraph {
  begin(recorded: boolean): void;
  end(): void;
  /** Ends a step that has failed. */
  discard(): void;
  /** Whether there is a recording. */
  captured(): boolean;
  launch(): void;
  clear(): void;
}

/** The way of a step's inputs to a device. */
export interface NativeStaging {
  /** What the step reads; the same tensors at every step. */
  readonly tensors: readonly Handle[];
  put(input: number, source: Handle): void;
  /** Sends what was put. */
  send(): void;
  clear(): void;
}

/** A device that is there. Only of GPUs is more than the name of the device known. */
export interface NativeDevice {
  readonly device: string;
  readonly name?: string;
  readonly capability?: number;
  readonly memory?: number;
  readonly software?: string;
}

/** Work that kernels can stand in for one another in, as a device has done it. */
export interface NativeKernelWork {
  readonly work: string;
  /** With spaces between, the default first. */
  readonly variants: string;
  readonly chosen: string;
}

/** A kernel against the one that is taken where nothing else is known, as it was measured in an op. */
export interface KernelMeasurement {
  readonly work: string;
  readonly op: string;
  /** The default. */
  readonly standard: string;
  readonly variant: string;
  /** Milliseconds of the op; 0 where results do not agree. */
  readonly standardMs: number;
  readonly variantMs: number;
  /** Of the results, relative: root mean square, and of one number. */
  readonly difference: number;
  readonly largest: number;
  /** Why results do not agree; empty where they do. */
  readonly failure: string;
  /** Whether they agree, and it was faster every time. */
  readonly faster: boolean;
}

/** The library that makes plain matrix products. */
export interface NativeMatrixLibrary {
  /** With its version; empty where there is none. */
  readonly name: string;
  readonly file: string;
  /** Why there is none. */
  readonly reason: string;
}

/** Native memory in bytes. */
export interface NativeMemory {
  readonly live: number;
  readonly peak: number;
  readonly cached: number;
  readonly arena: number;
  /** The most that was live and cached together: what the operating system, or the device, had to give. */
  readonly reserved: number;
  /** How often it was asked for memory since the start of the process. */
  readonly systemAllocations: number;
}

/** Numbers as they are read and written: f64, f32, bf16 as bit patterns, u8 and i32. */
export type NumberArray = Float64Array | Float32Array | Uint16Array | Uint8Array | Int32Array;

interface Binding {
  readonly ops: Readonly<Record<string, (args: OpArguments) => Record<string, Handle>>>;
  fromArray(data: NumberArray, shape: readonly number[], dtype: string, device: string): Handle;
  zeros(shape: readonly number[], dtype: string, device: string): Handle;
  readInto<A extends NumberArray>(x: Handle, target: A): A;
  /** As readInto; on a device the wait is another thread's. */
  readLater<A extends NumberArray>(x: Handle, target: A): Promise<A>;
  /** A copy on another device. */
  copyTo(x: Handle, device: string): Handle;
  /** Overwrites a tensor with another of its dtype, shape and device. */
  assign(target: Handle, source: Handle): void;
  write(x: Handle, data: NumberArray): void;
  /** The version of a tensor's contents: another number after every write to its memory. */
  version(x: Handle): number;
  view(x: Handle, offset: number, shape: readonly number[]): Handle;
  dispose(x: Handle): void;
  describe(x: Handle): { shape: number[]; dtype: string; device: string };
  devices(kind: string): NativeDevice[];
  /** Of a device other than the CPU. */
  matrixLibrary(device: string): NativeMatrixLibrary;
  /** The name of a GPU whose kernels nobody has chosen, "" of any other device; undefined in a rehearsal. */
  awaitsKernels(device: string, op: string): string | undefined;
  /** Takes the place of all choices so far: lines "work = variant". */
  chooseKernels(device: string, lines: string): void;
  /** The variant that a choice names for work of this name; "" where none does. */
  kernelChoice(device: string, work: string): string;
  kernelWorks(device: string): NativeKernelWork[];
  measureKernels(device: string, on: boolean): void;
  kernelMeasurements(device: string): KernelMeasurement[];
  synchronize(device: string): void;
  memory(device: string): NativeMemory;
  resetPeak(device: string): void;
  emptyCache(device: string): void;
  rehearse<T>(body: () => T): T;
  threads(count?: number): number;
  singleThreaded(on: boolean): void;
  instructionSet(name?: string): string;
  createArena(device: string): NativeArena;
  createGraph(device: string): NativeGraph;
  createStaging(
    device: string,
    inputs: readonly { readonly shape: readonly number[]; readonly dtype: string }[],
  ): NativeStaging;
}

/**
 * The native module, loaded when something of it is first asked for: help, and commands that compute nothing, do without.
 * Where none loads, that throws a VideomaeError with every place that was tried and why.
 */
export const binding: Binding = Object.create(
  new Proxy({} as Binding, {
    // Asked only for what `binding` itself lacks: everything before the module is loaded, nothing after.
    get(_, name: keyof Binding) {
      const search = findBinary();
      if (!search.binary) throw noBinary(search);
      Object.assign(binding, withErrors(search.binary.module));
      return Object.hasOwn(binding, name) ? binding[name] : undefined;
    },
  }),
);

/** The module with every function wrapped so that native errors arrive as VideomaeError. */
function withErrors<T extends object>(module: T): T {
  const wrapped: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(module)) {
    if (typeof value !== "function") {
      wrapped[name] = Array.isArray(value) ? value : withErrors(value as object);
      continue;
    }
    wrapped[name] = (...args: unknown[]) => {
      let result: unknown;
      try {
        result = value(...args);
      } catch (error) {
        throw translated(error);
      }
      if (result instanceof Promise) return result.catch((error) => Promise.reject(translated(error)));
      return name.startsWith("create") ? withErrors(result as object) : result;
    };
  }
  return wrapped as T;
}

function translated(error: unknown): unknown {
  const { op, expected, got, hint } = (error ?? {}) as { op?: string; expected?: string; got?: string; hint?: string };
  return typeof op === "string" ? new VideomaeError({ op, expected, got, hint, cause: error }) : error;
}
