// Which kernels are fastest on a GPU, where one can stand in for another: one training step of a model, not compiled, in which
// every op measures the kernels that could do its work (native/cuda/measuring.h). A step of the same sizes then has a table
// for all that it does.
import { binding, type KernelMeasurement } from "../addon/binding.js";
import { backward } from "../autograd/backward.js";
import { VideomaeError } from "../errors.js";
import { dualMask } from "../masking/dual-mask.js";
import { classifierModel } from "../models/classifier.js";
import { pretrainModel } from "../models/pretrain.js";
import { tokenGrid } from "../models/sizes.js";
import type { Module } from "../nn/module.js";
import { softCrossEntropy } from "../ops/soft-cross-entropy.js";
import { AdamW, parameterGroups } from "../optim/adamw.js";
import { synchronize } from "../tensor/devices.js";
import { useDefaultKernels } from "../tensor/kernels.js";
import { scope } from "../tensor/scope.js";
import { Tensor } from "../tensor/tensor.js";
import type { MeasuredOn } from "./measured-on.js";
import { noise } from "./noise.js";

/** A part of the step. */
export type Pass = "forward" | "backward" | "update";

/** All of them, in order. */
export const passes: readonly Pass[] = ["forward", "backward", "update"];

/** The training step in which kernels are measured: which work there is, and how large, follows from it. */
export interface KernelWork extends Pick<MeasuredOn, "device" | "dtype"> {
  readonly model: string;
  /** Clips in a batch. */
  readonly clips: number;
  /** Measures the step of a classifier with so many classes, as fine-tuning has it, and not that of pre-training. */
  readonly classes?: number;
  /** Of pre-training's decoder mask; 0 masks the encoder alone. Default 0.5. */
  readonly decoderMaskRatio?: number;
  /** Side of the input in pixels, and its frames; default those of the model. */
  readonly image?: number;
  readonly frames?: number;
}

/**
 * Measures the kernels of a training step. From then on the device computes by its default kernels in this process.
 * @param onPass  called before each part of the step
 * @throws VideomaeError when there is no such model or device, and when its memory does not suffice
 */
export function measureKernels(work: KernelWork, onPass: (pass: Pass) => void = () => {}): KernelMeasurement[] {
  const { device, clips } = work;
  if (device === "cpu") throw new VideomaeError({ op: "measureKernels", expected: "a GPU", got: "cpu" });
  useDefaultKernels(device);
  using step = work.classes === undefined ? pretrainingStep(work) : classifierStep(work, work.classes);
  using optimizer = new AdamW(parameterGroups(step.model), { lr: 1e-4, betas: [0.9, 0.95], clipNorm: 0.02 });
  const { image, frames } = step;
  using bytes = Tensor.fromArray(noise(clips * frames * image * image * 3), [clips, frames, image, image, 3]);
  using video = bytes.to(device);
  binding.measureKernels(device, true);
  try {
    scope(() => {
      onPass("forward");
      const loss = step.loss(video);
      onPass("backward");
      backward(loss);
      onPass("update");
      optimizer.step();
    });
    synchronize(device);
  } finally {
    binding.measureKernels(device, false);
  }
  return binding.kernelMeasurements(device);
}

/** A model, and its loss on a batch of u8 clips. */
interface Step extends Disposable {
  readonly model: Module;
  readonly image: number;
  readonly frames: number;
  loss(video: Tensor): Tensor;
}

function pretrainingStep({ model: name, clips, device, dtype, image, frames, ...work }: KernelWork): Step {
  const { decoderMaskRatio = 0.5 } = work;
  const model = pretrainModel(name, { seed: 0, dtype, device, ...sizes(image, frames) });
  const masks = dualMask({
    encoder: { kind: "tube", ratio: 0.9 },
    decoder: decoderMaskRatio > 0 ? { kind: "running-cell", ratio: decoderMaskRatio } : { kind: "none" },
    grid: tokenGrid(model.config),
  });
  const keys = Array.from({ length: clips }, (_, place) => ({ epoch: 0, place, view: 0 }));
  const { visible, decoded } = masks.sample({ keys });
  const tensors = [visible.to(device), decoded.to(device)];
  visible.dispose();
  decoded.dispose();
  return {
    ...{ model, image: model.config.image, frames: model.config.frames },
    loss: (video) => model.loss(video, { visible: tensors[0], decoded: tensors[1] }),
    [Symbol.dispose]: () => {
      for (const one of [...tensors, model]) one.dispose();
    },
  };
}

function classifierStep({ model: name, clips, device, dtype, image, frames }: KernelWork, classes: number): Step {
  const model = classifierModel(name, { classes, seed: 0, dtype, device, ...sizes(image, frames) });
  const target = Tensor.fromArray(
    Float32Array.from({ length: clips * classes }, (_, i) => Number(i % classes === 0)),
    [clips, classes],
    "f32",
    device,
  );
  return {
    ...{ model, image: model.config.image, frames: model.config.frames },
    loss: (video) => softCrossEntropy(model.forward(video), target),
    [Symbol.dispose]: () => {
      target.dispose();
      model.dispose();
    },
  };
}

/** The sizes that are given. */
function sizes(image: number | undefined, frames: number | undefined): { image?: number; frames?: number } {
  return { ...(image !== undefined && { image }), ...(frames !== undefined && { frames }) };
}
