// A head and a loss of your own on top of the encoder: tells from a clip's tokens which way its shape moves.
// Shows Module, ops, defineOp, and an optimiser that trains the head and leaves the encoder as it is.
//
//   node build/examples/own-head.js [updates]
import path from "node:path";
import {
  AdamW,
  add,
  backward,
  defineOp,
  evaluationClips,
  LayerNorm,
  linear,
  logSoftmax,
  Module,
  mean,
  mul,
  neg,
  noGrad,
  parameterGroups,
  pretrainModel,
  scope,
  sigmoid,
  sub,
  sum,
  Tensor,
  uniform,
  zeros,
} from "videomae";
import { MOTIONS } from "./clips/draw.js";
import { makeClips } from "./make-clips.js";

/** x * sigmoid(x), with its gradient: an op the package does not have. */
const swish = defineOp("swish", (save, x: Tensor) => {
  const saved = save({ x });
  return [
    mul(x, sigmoid(x)),
    (gradY) => {
      const { x } = saved();
      const s = sigmoid(x);
      return [mul(gradY, add(s, mul(mul(x, s), sub(1, s))))];
    },
  ];
});

/** Mean over tokens, one hidden layer, one logit a class. */
class MotionHead extends Module {
  readonly norm: LayerNorm;
  readonly hidden;
  readonly weight;
  readonly bias;

  constructor(width: number, classes: number) {
    super();
    this.norm = this.child("norm", new LayerNorm(width));
    this.hidden = this.parameter("hidden", [2 * width, width], uniform(width ** -0.5));
    this.weight = this.parameter("weight", [classes, 2 * width], uniform((2 * width) ** -0.5));
    this.bias = this.parameter("bias", [classes], zeros);
  }

  /** (B, N, D) -> (B, K) */
  forward(tokensBND: Tensor): Tensor {
    const pooled = mean(this.norm.forward(tokensBND), { axes: [1] }); // (B, D)
    return linear(swish(linear(pooled, this.hidden.value)), this.weight.value, { bias: this.bias.value });
  }
}

/** Cross entropy against one-hot labels (B, K), written with elementary ops. */
function loss(logits: Tensor, labels: Tensor): Tensor {
  return neg(mean(sum(mul(logSoftmax(logits), labels), { axes: [1] })));
}

const updates = Number(process.argv[2] ?? 80);
const folder = path.join("build", "clips");
const made = await makeClips(folder);
const clips = await evaluationClips(folder, { frames: 8, stride: 2, size: 32 });
const names = MOTIONS;
const motions = new Map(made.map((clip) => [path.resolve(clip.path), names.indexOf(clip.motion)]));

using encoder = pretrainModel("vit-tiny", { seed: 0 });
using head = new MotionHead(encoder.config.width, names.length).materialize({ seed: 1 });
using optimizer = new AdamW(parameterGroups(head), { lr: 3e-3 });

using video = Tensor.fromArray(Uint8Array.from(clips.flatMap(({ frames }) => [...frames])), [
  clips.length,
  8,
  32,
  32,
  3,
]);
const tokens = (encoder.config.frames / 2) * (encoder.config.image / encoder.config.patch) ** 2;
using all = Tensor.fromArray(
  Int32Array.from({ length: clips.length * tokens }, (_, i) => i % tokens),
  [clips.length, tokens],
);
using features = noGrad(() => encoder.encode(video, all)); // (B, N, D), computed once
using labels = Tensor.fromArray(
  clips.flatMap(({ source }) => names.map((_, k) => (k === motions.get(path.resolve(source)) ? 1 : 0))),
  [clips.length, names.length],
);

let [first, last] = [Number.NaN, Number.NaN];
for (let i = 0; i < updates; i++) {
  scope(() => {
    const value = loss(head.forward(features), labels);
    backward(value);
    optimizer.step();
    last = value.readSync()[0];
  });
  if (i === 0) first = last;
}
console.log(
  `loss over ${clips.length} clips: ${first.toFixed(3)} at first, ${last.toFixed(3)} after ${updates} updates`,
);
if (!(last < first)) process.exitCode = 1;
