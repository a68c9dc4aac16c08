// The time and memory of one dual-masked training step (forward, backward, AdamW) on u8 clips of noise.
//
//   npm run bench:step -- --model vit-small --batch 2 --steps 10 --dtype bf16
//   npm run bench:step -- --model vit-base --batch 32 --device cuda --dtype bf16
//
// The step is what peers/pretrain_step.py does: loss, backward, clipping by the global norm, AdamW. Prints one row
// (row.ts) of the steps after the third, by when the step runs from its planned memory. Times of one machine and moment
// mean nothing alone: compare rows of one sitting.
import { parseArgs } from "node:util";
import {
  AdamW,
  backward,
  compileStep,
  type Device,
  dualMask,
  instructionSet,
  memory,
  parameterGroups,
  pretrainModel,
  resetPeakMemory,
  synchronize,
  Tensor,
  threads,
  tokenGrid,
  trainingFlops,
  VideomaeError,
} from "videomae";
import { modelName } from "#lib/models/sizes.js";
import { runCommand } from "./command.js";
import { origin, watchOthers } from "./machine.js";
import type { Row } from "./row.js";

/** A positive integer out of an option. */
function count(option: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new VideomaeError({ op: `bench:step --${option}`, expected: "a positive integer", got: text });
}

const startBytes = process.memoryUsage.rss();

await runCommand(() => {
  const { values } = parseArgs({
    options: {
      model: { type: "string", default: "vit-small" },
      batch: { type: "string", default: "2" },
      steps: { type: "string", default: "10" },
      threads: { type: "string" },
      decoder: { type: "string", default: "0.5" },
      dtype: { type: "string", default: "f32" },
      device: { type: "string", default: "cpu" },
      recompute: { type: "boolean", default: false },
      round: { type: "string" },
      quick: { type: "boolean", default: false },
    },
  });
  if (values.threads) threads(count("threads", values.threads));
  const [batch, steps] = [count("batch", values.batch), count("steps", values.steps)];
  const ratio = Number(values.decoder);
  if (!(ratio >= 0 && ratio < 1))
    throw new VideomaeError({ op: "bench:step --decoder", expected: "a ratio in [0, 1)", got: values.decoder });

  if (values.dtype !== "f32" && values.dtype !== "bf16")
    throw new VideomaeError({ op: "bench:step --dtype", expected: "f32 or bf16", got: values.dtype });
  const { dtype } = values;
  const device = values.device as Device; // making the model checks it
  const onCpu = device === "cpu";

  using model = pretrainModel(values.model, { seed: 0, recompute: values.recompute, dtype, device });
  using optimizer = new AdamW(parameterGroups(model), { lr: 1e-4, betas: [0.9, 0.95], clipNorm: 0.02 });
  const { frames, image } = model.config;
  const masks = dualMask({
    encoder: { kind: "tube", ratio: 0.9 },
    decoder: ratio > 0 ? { kind: "running-cell", ratio } : { kind: "none" },
    grid: tokenGrid(model.config),
  });
  const noise = Uint8Array.from(
    { length: batch * frames * image * image * 3 },
    (_, i) => Math.imul(i, 2654435761) >>> 24,
  );
  using video = Tensor.fromArray(noise, [batch, frames, image, image, 3]);
  const { visible, decoded } = masks.sample({
    keys: Array.from({ length: batch }, (_, place) => ({ epoch: 0, place, view: 0 })),
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

  const times: number[] = [];
  let others = watchOthers();
  for (let i = 0; i < steps + 3; i++) {
    // The third call on a device captures; from the fourth on, the graph alone runs.
    if (i === 3) {
      resetPeakMemory(device);
      others = watchOthers();
    }
    const begun = performance.now();
    step({ video, visible, decoded }, undefined);
    if (!onCpu) synchronize(device);
    if (i >= 3) times.push(performance.now() - begun);
  }
  const otherCores = others();
  times.sort((a, b) => a - b);
  const median = times[times.length >> 1];
  const work = batch * trainingFlops(model.config, masks.counts);
  const { live, peak, arena } = memory(device);
  const round = (value: number) => Number(value.toPrecision(6));
  const row: Row = {
    bench: "step",
    system: "videomae",
    device: onCpu ? "cpu" : "cuda",
    ...(onCpu && { threads: threads() }),
    dtype,
    model: modelName(values.model),
    clips: batch,
    decoderMaskRatio: ratio,
    medianMs: round(median),
    minMs: round(times[0]),
    maxMs: round(times[times.length - 1]),
    repeats: times.length,
    clipsPerSecond: round((1000 * batch) / median),
    gflopPerSecond: round(work / median / 1e6),
    liveBytes: live,
    peakBytes: peak,
    arenaBytes: arena,
    residentBytes: 1024 * process.resourceUsage().maxRSS,
    startBytes,
    parameters: model.namedParameters().reduce((sum, [, p]) => sum + p.value.size, 0),
    otherCores,
    variant: { ...(onCpu ? { instructionSet: instructionSet() } : { graph: true }), recompute: values.recompute },
    ...(values.round && { round: Number(values.round) }),
    ...(values.quick && { quick: true }),
    ...origin(),
  };
  console.log(JSON.stringify(row));
  visible.dispose();
  decoded.dispose();
});
