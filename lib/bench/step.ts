// The time and memory of one dual-masked training step (forward, backward, clipping by the global norm, AdamW) on u8 clips
// of noise, compiled, as a run does it.
import { backward } from "../autograd/backward.js";
import { compileStep } from "../autograd/compile-step.js";
import { dualMask } from "../masking/dual-mask.js";
import { trainingFlops } from "../models/multiply-adds.js";
import { pretrainModel } from "../models/pretrain.js";
import { modelName, tokenGrid } from "../models/sizes.js";
import { AdamW, parameterGroups } from "../optim/adamw.js";
import { synchronize } from "../tensor/devices.js";
import { memory, resetPeakMemory } from "../tensor/memory.js";
import { Tensor } from "../tensor/tensor.js";
import { type MeasuredOn, ourFields } from "./measured-on.js";
import { noise } from "./noise.js";
import type { TimedRow } from "./row.js";
import { perSecond, type Repeats, timeCalls } from "./time-calls.js";

/** The third call on a device captures; from the fourth on, the graph alone runs. */
const PLANNED = 3;

export interface StepWork extends MeasuredOn {
  readonly model: string;
  /** Clips in a batch. */
  readonly clips: number;
  /** Of the decoder's mask; 0 masks the encoder alone. Default 0.5. */
  readonly decoderMaskRatio?: number;
  /** Makes activations of blocks again in the backward pass. */
  readonly recompute?: boolean;
  /** Resident memory of the process before it did anything, where the step is all that it does. */
  readonly startBytes?: number;
}

/**
 * Measures steps that run from their planned memory.
 * @throws VideomaeError when there is no such model or device
 */
export function measureStep(work: StepWork, repeats: Repeats): TimedRow {
  const { model: name, clips, device, dtype, decoderMaskRatio = 0.5, recompute = false, startBytes } = work;
  using model = pretrainModel(name, { seed: 0, recompute, dtype, device });
  using optimizer = new AdamW(parameterGroups(model), { lr: 1e-4, betas: [0.9, 0.95], clipNorm: 0.02 });
  const { frames, image } = model.config;
  const masks = dualMask({
    encoder: { kind: "tube", ratio: 0.9 },
    decoder: decoderMaskRatio > 0 ? { kind: "running-cell", ratio: decoderMaskRatio } : { kind: "none" },
    grid: tokenGrid(model.config),
  });
  using video = Tensor.fromArray(noise(clips * frames * image * image * 3), [clips, frames, image, image, 3]);
  const { visible, decoded } = masks.sample({
    keys: Array.from({ length: clips }, (_, place) => ({ epoch: 0, place, view: 0 })),
  });
  using step = compileStep(
    (inputs: { video: Tensor; visible: Tensor; decoded: Tensor }) => {
      const loss = model.loss(inputs.video, inputs);
      backward(loss);
      optimizer.step();
      return { loss };
    },
    { device },
  );
  const call = () => {
    step({ video, visible, decoded }, undefined);
    if (device !== "cpu") synchronize(device);
  };
  const times = timeCalls(call, PLANNED, repeats, 1, () => resetPeakMemory(device));
  visible.dispose();
  decoded.dispose();
  const { live, peak, arena } = memory(device);
  const operations = clips * trainingFlops(model.config, masks.counts);
  return {
    bench: "step",
    ...ourFields(work, { graph: true, recompute }),
    model: modelName(name),
    clips,
    decoderMaskRatio,
    ...times,
    clipsPerSecond: perSecond(clips, times.medianMs),
    gflopPerSecond: perSecond(operations, times.medianMs, 1e9),
    liveBytes: live,
    peakBytes: peak,
    arenaBytes: arena,
    ...(startBytes !== undefined && { residentBytes: 1024 * process.resourceUsage().maxRSS, startBytes }),
    parameters: model.namedParameters().reduce((sum, [, p]) => sum + p.value.size, 0),
  };
}
