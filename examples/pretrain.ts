// Pre-training written out: data set, model, masks, optimiser, and a compiled step. `videomae pretrain` does the same
// with a log, checkpoints and resuming.
//
//   node build/examples/pretrain.js [folder of clips] [updates]
import path from "node:path";
import {
  AdamW,
  backward,
  compileStep,
  cosineSchedule,
  dualMask,
  evaluateHeldOut,
  evaluationClips,
  loader,
  Progress,
  parameterGroups,
  pretrainModel,
  type Tensor,
  tokenGrid,
  VideoDataset,
} from "videomae";
import { makeClips } from "./make-clips.js";

const folder = process.argv[2] ?? path.join("build", "clips");
const steps = Number(process.argv[3] ?? 60);
if (process.argv[2] === undefined) await makeClips(folder);

const clip = { frames: 8, stride: 2, size: 32 };
const dataset = VideoDataset.from(folder, clip);
using model = pretrainModel("vit-tiny", { seed: 0 });
using optimizer = new AdamW(parameterGroups(model), { betas: [0.9, 0.95], weightDecay: 0.05 });
const masks = dualMask({
  encoder: { kind: "tube", ratio: 0.75 },
  decoder: { kind: "running-cell", ratio: 0.5 },
  grid: tokenGrid(model.config),
});
const schedule = cosineSchedule({ base: 2e-3, final: 1e-5, steps, warmupSteps: Math.ceil(steps / 10) });

type Inputs = { video: Tensor; visible: Tensor; decoded: Tensor };
using step = compileStep(({ video, ...tokens }: Inputs, { learningRate }: { learningRate: Tensor }) => {
  const loss = model.loss(video, tokens);
  backward(loss);
  optimizer.step({ learningRate });
  return { loss };
});

const held = (await evaluationClips(folder, { ...clip, limit: 4 })).map(({ frames }) => frames);
const before = evaluateHeldOut(model, masks, held).overall;
const progress = new Progress({ total: steps });
for await (using batch of loader(dataset, { batchSize: 8, workers: 2, seed: 0, steps })) {
  const { visible, decoded } = masks.sample(batch);
  const lr = schedule.at(batch.step);
  const { loss } = step({ video: batch.video, visible, decoded }, { learningRate: lr });
  progress.update({
    step: batch.step + 1,
    loss: await loss.item(),
    lr,
    clips: batch.keys.length,
    waitedMs: batch.waitedMs,
  });
  visible.dispose();
  decoded.dispose();
}
progress.stop();

const after = evaluateHeldOut(model, masks, held).overall;
console.log(
  `loss / loss of predicting each patch's mean: ${before.ratio.toFixed(3)} before, ${after.ratio.toFixed(3)} after`,
);
if (!(after.ratio < before.ratio)) process.exitCode = 1;
