// A model that answers for clips without stalling the program: it lives in a thread of its own, where clips are decoded
// and computed too. It is loaded once and used for any number of clips, which are worked on one after the other.

import { resolve } from "node:path";
import type { Worker } from "node:worker_threads";
import type { DecoderName } from "../data/find-decoder.js";
import type { Source } from "../data/source.js";
import type { ViewSampling } from "../data/view-sampling.js";
import { stopBeforeExit, WorkSignal } from "../data/work-signal.js";
import { rejectUnknownOptions, VideomaeError } from "../errors.js";
import { workerThreads } from "../library.js";
import type { ClassifierConfig } from "../models/classifier-config.js";
import type { PositionMode } from "../nn/position-table.js";
import type { Device } from "../tensor/dtype.js";
import type { HubPreprocessing } from "../weights/hub-config.js";
import type { DecodedClip } from "./clip-source.js";
import type { ClipFeatures, FeatureProgress } from "./extract-features.js";
import type { FrameMode } from "./model-input.js";
import {
  type FromPredictor,
  type PredictorModel,
  type PredictorSetup,
  type PredictorTask,
  restoreError,
  type ToPredictor,
} from "./predictor-messages.js";

/** A video by its path, a source out of a list, or decoded frames. */
export type Clip = string | Source | DecodedClip;

/** How weights are opened for predictions. */
export interface PredictorOptions {
  /** Fields of the model's description that win over what the file says: the shapes of weights do not tell all. */
  readonly config?: Partial<ClassifierConfig>;
  /** Load what fits of weights that do not hold the whole model. */
  readonly partial?: boolean;
  /** Where the positional table of an unusual token grid comes from. */
  readonly position?: PositionMode;
  /** What computes, and in what: "cpu" and "f32" by default. */
  readonly device?: Device;
  readonly dtype?: "f32" | "bf16";
  /** What frames look like, where it is not what the weights say: by default the ImageNet statistics. */
  readonly preprocessing?: HubPreprocessing;
  /** What decodes video. */
  readonly decoder?: DecoderName;
  /** Seconds that opening a clip, or one reading of frames, may take; default 60, 0: any. */
  readonly decodeTimeout?: number;
}

/** How a clip is classified. */
export interface PredictOptions {
  /** How many classes are returned, the likeliest first; default 5. */
  readonly top?: number;
  /** Clips spread over the video, default 1. */
  readonly segments?: number;
  /** Squares spread along the longer side of the frames, default 1. */
  readonly crops?: number;
  /** Video frames from one clip frame to the next, default 4. */
  readonly stride?: number;
  /** "dense", the default: neighbouring frames. "sparse": frames spread over the whole video. */
  readonly sampling?: ViewSampling["sampling"];
  readonly signal?: AbortSignal;
}

/** Which features of a clip are computed. */
export interface FeatureOptions {
  /** Frames from the start of one window to the next. Default: one vector, of the clip that validation uses. */
  readonly window?: number;
  /** Video frames from one frame of a window to the next; default 1 for windows, 4 for one clip. */
  readonly stride?: number;
  readonly sampling?: ViewSampling["sampling"];
  /** How frames become the model's input, default "crop". */
  readonly mode?: FrameMode;
  /** Called now and then with how many of the windows are done. */
  readonly onProgress?: (progress: FeatureProgress) => void;
  readonly signal?: AbortSignal;
}

/** A class and its probability. */
export interface ClassProbability {
  readonly index: number;
  /** Its name, where the weights come with names. */
  readonly label: string | undefined;
  readonly probability: number;
}

/** What a classifier makes of a clip. */
export interface Prediction {
  /** The likeliest classes, in order. */
  readonly top: readonly ClassProbability[];
  /** (K) Of every class; they add up to 1. */
  readonly probabilities: Float64Array;
}

/** Options of the temporal-detection features that are published with V2: windows of 16 neighbouring frames. */
export const detectionFeatures = { window: 4, stride: 1, mode: "stretch" } as const satisfies FeatureOptions;

interface Job {
  readonly resolve: (message: FromPredictor) => void;
  readonly reject: (error: unknown) => void;
  readonly onProgress?: (progress: FeatureProgress) => void;
}

/**
 * A model in a thread of its own, which decodes and computes there: the caller's event loop stays free. `openPredictor`
 * makes one.
 */
export class Predictor implements AsyncDisposable {
  /** What the model is, and what became of its weights. */
  readonly model: PredictorModel;
  readonly #worker: Worker;
  readonly #exited: Promise<void>;
  readonly #jobs = new Map<number, Job>();
  #nextId = 0;
  #ended: Error | undefined;

  /** @internal Use `openPredictor`. */
  constructor(worker: Worker, model: PredictorModel) {
    this.#worker = worker;
    this.model = model;
    this.#exited = new Promise((done) => worker.once("exit", () => done()));
    worker.on("message", (message: FromPredictor) => this.#hear(message));
    worker.on("error", (cause) => this.#end(broken(cause.message, cause)));
    worker.on("exit", (code) => this.#end(broken(`one that exited with ${code}`)));
    worker.unref(); // only work keeps the program alive
  }

  /**
   * The likeliest classes of a clip.
   * @throws VideomaeError when the clip cannot be read, or the model has no head; what `signal` says when it is aborted
   */
  async predict(clip: Clip, options: PredictOptions = {}): Promise<Prediction> {
    rejectUnknownOptions("predict", options, ["top", "segments", "crops", "stride", "sampling", "signal"]);
    const own = this.model.sampling;
    const { top = 5, segments = 1, crops = 1, signal } = options;
    const { stride = own.stride ?? 4, sampling = own.sampling ?? "dense" } = options;
    const { config, labels } = this.model;
    if (config.classes === 0) {
      throw new VideomaeError({
        op: "predict",
        expected: "a model with a head",
        got: "one that only gives features",
        hint: "fine-tune it, or use features",
      });
    }
    if (!Number.isSafeInteger(top) || top < 1) {
      throw new VideomaeError({ op: "predict", expected: "top to be an integer from 1 on", got: `${top}` });
    }
    const views = { segments, crops, stride, sampling: checkSampling(sampling) };
    const answer = await this.#run(clip, { task: "classify", views }, signal);
    const { probabilities } = answer as Extract<FromPredictor, { probabilities: unknown }>;
    const order = [...probabilities.keys()].sort((a, b) => probabilities[b] - probabilities[a] || a - b);
    const likeliest = order.slice(0, top).map((index) => ({
      ...{ index, label: labels?.[index] },
      probability: probabilities[index],
    }));
    return { top: likeliest, probabilities };
  }

  /**
   * Features of a clip: what the model's head sees, one vector or one for each of a row of windows.
   * @throws VideomaeError when the clip cannot be read or is shorter than a window; what `signal` says when it is aborted
   */
  async features(clip: Clip, options: FeatureOptions = {}): Promise<ClipFeatures> {
    const known = ["window", "stride", "sampling", "mode", "onProgress", "signal"];
    rejectUnknownOptions("features", options, known);
    const own = this.model.sampling;
    const { window, sampling = own.sampling ?? "dense", mode = "crop", onProgress, signal } = options;
    const { stride = window === undefined ? (own.stride ?? 4) : 1 } = options;
    const modes: readonly FrameMode[] = ["crop", "stretch", "stretch-normalized"];
    if (!modes.includes(mode)) {
      throw new VideomaeError({ op: "features", expected: `a mode out of ${modes.join(", ")}`, got: `"${mode}"` });
    }
    const views = { window, stride, mode, sampling: checkSampling(sampling) };
    const answer = await this.#run(clip, { task: "features", views }, signal, onProgress);
    return (answer as Extract<FromPredictor, { features: unknown }>).features;
  }

  /** Finishes the work at hand, frees the model and ends the thread. A second call does nothing more. */
  async dispose(): Promise<void> {
    if (this.#ended === undefined) {
      this.#ended = new VideomaeError({
        op: "predictor",
        expected: "an open predictor",
        got: "one that was disposed of",
      });
      this.#worker.ref();
      this.#worker.postMessage("stop" satisfies ToPredictor);
    }
    await this.#exited;
  }

  /** The same as `dispose()`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }

  #run(
    clip: Clip,
    work: PredictorTask,
    signal?: AbortSignal,
    onProgress?: (progress: FeatureProgress) => void,
  ): Promise<FromPredictor> {
    return new Promise((done, failed) => {
      if (this.#ended) throw this.#ended;
      signal?.throwIfAborted();
      const id = this.#nextId++;
      const abort = () => {
        if (!this.#jobs.has(id)) return;
        this.#worker.postMessage({ cancel: id } satisfies ToPredictor);
        this.#settle(id)?.reject(signal!.reason);
      };
      signal?.addEventListener("abort", abort, { once: true });
      const leave = () => signal?.removeEventListener("abort", abort);
      this.#worker.postMessage({ id, clip: sourceOf(clip), work } satisfies ToPredictor);
      this.#worker.ref();
      this.#jobs.set(id, {
        resolve: (message) => {
          leave();
          done(message);
        },
        reject: (error) => {
          leave();
          failed(error);
        },
        onProgress,
      });
    });
  }

  #hear(message: FromPredictor): void {
    if (!("id" in message)) return;
    if ("progress" in message) this.#jobs.get(message.id)?.onProgress?.(message.progress);
    else if ("error" in message) this.#settle(message.id)?.reject(restoreError(message.error));
    else this.#settle(message.id)?.resolve(message);
  }

  /** Takes a job off the list. */
  #settle(id: number): Job | undefined {
    const job = this.#jobs.get(id);
    this.#jobs.delete(id);
    if (this.#jobs.size === 0) this.#worker.unref();
    return job;
  }

  #end(error: Error): void {
    this.#ended ??= error;
    for (const id of [...this.#jobs.keys()]) this.#settle(id)?.reject(this.#ended);
  }
}

/**
 * Loads weights in a thread of their own.
 *
 * @param weights  a file of weights, the folder of a run, or a model hub's folder
 * @throws VideomaeError when they are damaged, of no known kind, or do not hold the whole model
 * @example
 * await using predictor = await openPredictor("runs/finetune");
 * const { top } = await predictor.predict("clip.mp4");
 */
export async function openPredictor(weights: string, options: PredictorOptions = {}): Promise<Predictor> {
  rejectUnknownOptions("openPredictor", options, [
    "config",
    "partial",
    "position",
    "device",
    "dtype",
    "preprocessing",
    "decoder",
    "decodeTimeout",
  ]);
  const { config = {}, partial = false, position, preprocessing = {}, decoder = "auto", decodeTimeout = 60 } = options;
  const { device = "cpu", dtype = "f32" } = options;
  if (!(decodeTimeout >= 0)) {
    throw new VideomaeError({
      op: "openPredictor",
      expected: "a decodeTimeout of 0 seconds or more",
      got: `${decodeTimeout}`,
    });
  }
  const rest = { config, partial, position, device, dtype, preprocessing, decoder, decodeTimeout };
  const signal = new WorkSignal();
  const setup: PredictorSetup = { weights: resolve(weights), ...rest, signal: signal.memory };
  const worker = new (workerThreads().Worker)(new URL("./predictor-worker.js", import.meta.url), {
    workerData: setup,
    execArgv: [], // flags for the program (--input-type, a TypeScript loader) are not for a compiled module
  });
  worker.once("exit", stopBeforeExit(signal));
  const first = await new Promise<FromPredictor>((done, failed) => {
    worker.once("message", done);
    worker.once("error", failed);
    worker.once("exit", (code) => failed(broken(`one that exited with ${code}`)));
  });
  if ("model" in first) return new Predictor(worker, first.model);
  await worker.terminate();
  throw restoreError((first as Extract<FromPredictor, { failed: unknown }>).failed);
}

/** One clip's likeliest classes; for several clips, keep a predictor. */
export async function predict(
  clip: Clip,
  options: PredictOptions & { readonly weights: string; readonly predictor?: PredictorOptions },
): Promise<Prediction> {
  const { weights, predictor, ...rest } = options;
  await using opened = await openPredictor(weights, predictor);
  return await opened.predict(clip, rest);
}

/** One clip's features; for several clips, keep a predictor. */
export async function features(
  clip: Clip,
  options: FeatureOptions & { readonly weights: string; readonly predictor?: PredictorOptions },
): Promise<ClipFeatures> {
  const { weights, predictor, ...rest } = options;
  await using opened = await openPredictor(weights, predictor);
  return await opened.features(clip, rest);
}

function sourceOf(clip: Clip): Source | DecodedClip {
  return typeof clip === "string" ? { kind: "video", path: resolve(clip), where: clip } : clip;
}

function checkSampling(sampling: ViewSampling["sampling"]): ViewSampling["sampling"] {
  if (sampling === "dense" || sampling === "sparse") return sampling;
  throw new VideomaeError({ op: "views", expected: 'sampling "dense" or "sparse"', got: `"${sampling}"` });
}

function broken(got: string, cause?: unknown): VideomaeError {
  return new VideomaeError({ op: "predictor", expected: "a working thread", got, cause });
}
