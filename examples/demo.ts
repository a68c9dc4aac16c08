// The whole way in about two minutes: makes clips, pre-trains a small model on them, and leaves in the output folder a
// reconstruction of a clip the model has never seen (reconstruction.webp and .png) and a plot of the loss (loss.png).
//
//   node build/examples/demo.js [--out runs/demo] [--steps 1200]
import path from "node:path";
import { parseArgs } from "node:util";
import {
  evaluateHeldOut,
  evaluationClips,
  type LossPoint,
  loadPretrainModel,
  masksOf,
  Progress,
  pretrain,
  readJsonl,
  reconstructionPanels,
  renderReconstruction,
  type TrainingStep,
  writeLossPlot,
  writeSheet,
} from "videomae";
import { makeClips } from "./make-clips.js";

const { values } = parseArgs({ options: { out: { type: "string" }, steps: { type: "string" } } });
const out = values.out ?? path.join("runs", "demo");
const steps = Number(values.steps ?? 1200);
const clips = { train: path.join(out, "clips"), heldOut: path.join(out, "held-out") };

console.log("making 128 clips to train on and 8 to look at");
await makeClips(clips.train, { count: 128, seed: 0 });
await makeClips(clips.heldOut, { count: 8, seed: 1 });

let progress: Progress | undefined;
const run = await pretrain(
  {
    data: clips.train,
    out,
    model: "vit-tiny",
    image: 64,
    patch: 16,
    frames: 8,
    stride: 4,
    width: 128,
    depth: 4,
    heads: 2,
    decoderWidth: 128,
    decoderHeads: 2,
    maskRatio: 0.6,
    batchSize: 8,
    views: 2,
    steps,
    lr: 3.2e-2, // 1e-3 for 8 videos an update
    minLr: 3.2e-4,
    saveEvery: steps,
    keep: 1,
    resume: false,
  },
  {
    onStart: ({ steps: total, model }) => {
      const parameters = model.namedParameters().reduce((sum, [, { value }]) => sum + value.size, 0);
      console.log(`pre-training ${(parameters / 1e6).toFixed(1)} M parameters for ${total} updates`);
      progress = new Progress({ total });
    },
    onStep: (step: TrainingStep) => progress?.update({ ...step, lr: step.learningRate }),
  },
);
progress?.stop();

const { model, state } = loadPretrainModel(run.checkpoint);
using _model = model;
const masks = masksOf(state.config, model);
const { frames, image } = model.config;
const held = (await evaluationClips(clips.heldOut, { frames, size: image, stride: state.config.stride })).map(
  (clip) => clip.frames,
);
const { overall, quartiles } = evaluateHeldOut(model, masks, held);
console.log(`held-out loss / loss of predicting each patch's mean: ${overall.ratio.toFixed(3)}`);
console.log(`  by contrast, lowest quarter first: ${quartiles.map((q) => q.ratio.toFixed(3)).join("  ")}`);

const panels = reconstructionPanels(model, masks, held[0]);
const picture = path.join(out, "reconstruction");
await renderReconstruction(`${picture}.webp`, { panels, side: image });
await writeSheet(`${picture}.png`, { panels, side: image });
const points = readJsonl(run.log).filter(({ loss }) => loss !== undefined) as unknown as LossPoint[];
await writeLossPlot(path.join(out, "loss.png"), points, { title: "Pre-training loss" });
console.log(`look at ${picture}.webp, ${picture}.png and ${path.join(out, "loss.png")}`);
