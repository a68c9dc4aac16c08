// The time and memory of one dual-masked training step (forward, backward, AdamW) on u8 clips of noise.
//
//   npm run bench:step -- --model vit-small --batch 2 --steps 10
//
// Prints one JSON row: medians over the steps after the third, by when the step runs from its planned memory. Times of
// one machine and moment mean nothing alone: compare rows of one sitting.
import os from "node:os";
import { parseArgs } from "node:util";
import {
  AdamW,
  backward,
  compileStep,
  dualMask,
  instructionSet,
  memory,
  multiplyAdds,
  parameterGroups,
  pretrainModel,
  resetPeakMemory,
  Tensor,
  threads,
  tokenGrid,
} from "videomae";

const { values } = parseArgs({
  options: {
    model: { type: "string", default: "vit-small" },
    batch: { type: "string", default: "2" },
    steps: { type: "string", default: "10" },
    threads: { type: "string" },
    decoder: { type: "string", default: "0.5" },
    recompute: { type: "boolean", default: false },
  },
});
if (values.threads) threads(Number(values.threads));
const [batch, steps, ratio] = [values.batch, values.steps, values.decoder].map(Number);

using model = pretrainModel(values.model, { seed: 0, recompute: values.recompute });
using optimizer = new AdamW(parameterGroups(model), { lr: 1e-4, betas: [0.9, 0.95] });
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
using step = compileStep((inputs: { video: Tensor; visible: Tensor; decoded: Tensor }) => {
  const loss = model.loss(inputs.video, inputs);
  backward(loss);
  optimizer.step();
  return { loss };
});

const times: number[] = [];
for (let i = 0; i < steps + 3; i++) {
  if (i === 3) resetPeakMemory();
  const begun = performance.now();
  step({ video, visible, decoded }, undefined);
  if (i >= 3) times.push(performance.now() - begun);
}
times.sort((a, b) => a - b);
const median = times[times.length >> 1];
const work = 6 * batch * multiplyAdds(model.config, masks.counts, masks.counts.visible).total; // 2 a multiply-add, 3 passes
const { live, peak, arena } = memory();
console.log(
  JSON.stringify({
    bench: "step",
    model: values.model,
    batch,
    decoderMaskRatio: ratio,
    recompute: values.recompute,
    threads: threads(),
    instructionSet: instructionSet(),
    processor: os.cpus()[0].model,
    date: new Date().toISOString().slice(0, 10),
    medianMs: Number(median.toFixed(1)),
    minMs: Number(times[0].toFixed(1)),
    clipsPerSecond: Number(((1000 * batch) / median).toFixed(2)),
    gflops: Number((work / median / 1e6).toFixed(1)),
    liveBytes: live,
    peakBytes: peak,
    arenaBytes: arena,
    residentBytes: process.memoryUsage().rss,
  }),
);
visible.dispose();
decoded.dispose();
