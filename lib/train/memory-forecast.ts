// What memory a run will take, before it takes any: the run's own model, optimiser and steps are rehearsed (see
// `rehearse`), so every activation, gradient and scratch buffer of the code is counted as it would be allocated. What
// lies outside the tensors is added: the process itself, and the loader's buffers and threads. Tensors are on the run's
// device, all else is of the host. Costs a few milliseconds a block of the model.

import type { StepInputs } from "../autograd/compile-step.js";
import type { PretrainRunConfig } from "../config/pretrain-config.js";
import type { RunConfig } from "../config/run-options.js";
import { batchesAhead } from "../data/loader-options.js";
import { machineLimits, memoryLimit } from "../machine/limits.js";
import { AdamW } from "../optim/adamw.js";
import { describeDevice } from "../tensor/devices.js";
import type { Device } from "../tensor/dtype.js";
import { emptyCache, memory, rehearse } from "../tensor/memory.js";
import { computeOf } from "./compute.js";
import { averageOf, type Objective } from "./objective.js";
import { pretrainObjective } from "./pretrain.js";
import type { TrainedModel } from "./run-state.js";
import { trainingSteps } from "./training-steps.js";

/** Bytes that a run will take, by what takes them. */
export interface MemoryForecast {
  /** Where parameters and activations are. */
  readonly device: Device;
  /**
   * Where the run was rehearsed: on its device, or on the CPU where that is not there. What kernels need besides their operands
   * is then that of the CPU's.
   */
  readonly rehearsedOn: Device;
  readonly parameters: number;
  readonly gradients: number;
  /** The bf16 copies of a bf16 model's parameters. */
  readonly copies: number;
  /** Averaged weights, where they are kept. */
  readonly averages: number;
  /** Both moments of AdamW. */
  readonly optimizer: number;
  /** Positional tables and the optimiser's tables. */
  readonly tables: number;
  /** The batch, what the forward pass keeps for the backward pass, gradients of activations, and scratch memory. */
  readonly activations: number;
  /** What `memory(device).peak` will be: the sum of the above. */
  readonly peak: number;
  /** Shared buffers of the loader. */
  readonly loader: number;
  /** Threads that decode: their engine, decoder and frames, for videos of ordinary size. */
  readonly workers: number;
  /** Memory of the host that a device reads batches from; 0 on the CPU. */
  readonly pinned: number;
  /** The program itself and the pictures it draws, without what a device's driver adds to it. */
  readonly process: number;
  /** What the process will hold at most (its resident set). */
  readonly host: number;
  /** What tensors will take of the device at most, its driver's own memory not counted; 0 on the CPU. */
  readonly onDevice: number;
}

// Measured on Linux with Node 20: the resident set of a run of `vit-tiny` without its tensors, and what each thread that
// decodes adds to it besides its frames.
const PROCESS_BYTES = 140e6;
const WORKER_BYTES = 22e6;
/** Pixels of an ordinary video, 340 x 256; a clip of it is held as decoded, as an array and as a tensor. */
const VIDEO_PIXELS = 340 * 256;
const DECODED_COPIES = 3;
/** What drawing a clip as it is reconstructed adds for each of its values: the panels as numbers, and as they are encoded. */
const DRAWN_BYTES = 32;

/** What a forecast depends on beside the objective. */
export type ForecastConfig = Pick<
  RunConfig,
  "batchSize" | "accumulate" | "workers" | "device" | "dtype" | "lr" | "weightDecay"
>;

type ClipModel = TrainedModel<{ readonly frames: number }>;

/**
 * Forecasts the memory of a run.
 * @param objectiveOf  makes the objective of a configuration; called with the device of the rehearsal
 * @param draws  whether the run draws a clip now and then
 * @throws VideomaeError for a model that cannot be
 */
export function forecastRun<C extends ForecastConfig, I extends StepInputs>(
  config: C,
  objectiveOf: (config: C) => Objective<ClipModel, I>,
  draws = false,
): MemoryForecast {
  const { device, dtype } = computeOf(config);
  const rehearsedOn = memoryOf(device) === undefined ? "cpu" : device;
  const rehearsed = { ...config, dtype, device: rehearsedOn };
  const { batchBytes, clipValues, frames, reserved, onHost, ...parts } = rehearse(() =>
    rehearseRun(rehearsed, objectiveOf),
  );
  const loader = (1 + batchesAhead(config.workers, config.batchSize)) * batchBytes;
  const decoded = DECODED_COPIES * frames * VIDEO_PIXELS * 3;
  const workers = config.workers * WORKER_BYTES + Math.max(1, config.workers) * decoded;
  // Every compiled step has two sets of staging buffers (native/core/staging.h), and accumulation has two steps.
  const pinned = device === "cpu" ? 0 : 2 * Math.min(config.accumulate, 2) * batchBytes;
  // The first steps run without a plan, so more was reserved than a planned step uses. A checkpoint takes no more: it is
  // written tensor by tensor.
  const [onDevice, tensors] = device === "cpu" ? [0, reserved] : [reserved, onHost];
  const program = PROCESS_BYTES + (draws ? DRAWN_BYTES * clipValues : 0);
  const host = tensors + loader + workers + pinned + program;
  return { device, rehearsedOn, ...parts, loader, workers, pinned, process: program, host, onDevice };
}

/**
 * Forecasts the memory of a pre-training run.
 * @throws VideomaeError for a model or masks that cannot be
 */
export function forecastMemory(config: PretrainRunConfig): MemoryForecast {
  return forecastRun(config, pretrainObjective, config.tensorboard);
}

/** Bytes that a run can have: of the machine, within its control groups, or of a GPU. Undefined: not known. */
export function memoryOf(device: Device): number | undefined {
  return device === "cpu" ? memoryLimit(machineLimits()) : describeDevice(device)?.memory;
}

function rehearseRun<C extends ForecastConfig, I extends StepInputs>(
  config: C,
  objectiveOf: (config: C) => Objective<ClipModel, I>,
) {
  const { device, dtype } = computeOf(config);
  const objective = objectiveOf(config);
  using model = objective.model;
  const parameters = model.namedParameters().reduce((sum, [, { value }]) => sum + 4 * value.size, 0);
  const copies = dtype === "bf16" ? parameters / 2 : 0;
  using optimizer = new AdamW(objective.groups);
  using average = averageOf(objective, optimizer);
  const averages = average === undefined ? 0 : parameters;
  emptyCache(device);
  const before = memory(device).live;

  using steps = trainingSteps((inputs: I) => objective.loss(inputs), optimizer, config.accumulate, average);
  let batchBytes = 0;
  let clipValues = 0;
  const run = (step: (inputs: I) => unknown) => {
    const inputs = objective.blankInputs();
    batchBytes = inputs.video.size * (inputs.video.dtype === "u8" ? 1 : 4);
    clipValues = inputs.video.size / inputs.video.shape[0];
    step(inputs);
    for (const tensor of Object.values(inputs)) tensor.dispose();
  };
  // A step is planned at its second call, so two updates have allocated all that any number will.
  for (let done = 0; done < 2; done++) {
    for (let i = 0; i < Math.min(config.accumulate - 1, 2); i++) run((inputs) => steps.accumulate(inputs, undefined));
    run((inputs) => steps.update(inputs, { learningRate: config.lr, weightDecay: config.weightDecay }));
  }
  const { peak, reserved } = memory(device);
  const tables = before - 4 * parameters - copies - averages;
  const activations = peak - before;
  const states = { parameters, gradients: parameters, copies, averages, optimizer: 2 * parameters };
  return {
    ...states,
    tables,
    activations,
    peak,
    batchBytes,
    clipValues,
    frames: model.config.frames,
    reserved,
    onHost: memory().reserved,
  };
}
