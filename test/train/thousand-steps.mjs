// Many compiled training steps of a tiny model. Prints what memory was after steps 10, 100 and the last.
//
//   node --expose-gc test/train/thousand-steps.mjs <steps> <"plain" or "recompute">
import { setImmediate as turn } from "node:timers/promises";
import { backward } from "#lib/autograd/backward.js";
import { compileStep } from "#lib/autograd/compile-step.js";
import { withRandomKey } from "#lib/autograd/random-key.js";
import { pretrainModel } from "#lib/models/pretrain.js";
import { AdamW, parameterGroups } from "#lib/optim/adamw.js";
import { memory, threads } from "#lib/tensor/memory.js";
import { scope } from "#lib/tensor/scope.js";
import { Tensor } from "#lib/tensor/tensor.js";

threads(1); // the model is too small to gain from more
const steps = Number(process.argv[2]);
const model = pretrainModel("vit-tiny", { seed: 1, dropPath: 0.1, recompute: process.argv[3] === "recompute" });
const optimizer = new AdamW(parameterGroups(model), { clipNorm: 1 });
const step = compileStep(({ video, visible, decoded }, { update }) =>
  withRandomKey({ seed: 1, update, microStep: 0 }, () => {
    const loss = model.loss(video, { visible, decoded });
    backward(loss);
    return { loss, ...optimizer.step({ learningRate: 1e-4 }) };
  }),
);

async function report() {
  for (let i = 0; i < 4; i++) {
    globalThis.gc();
    await turn();
  }
  const { live, tensors, systemAllocations, leaked } = memory();
  return {
    live,
    tensors,
    systemAllocations,
    leaked,
    heap: process.memoryUsage().heapUsed,
    rss: process.memoryUsage().rss,
  };
}

const reports = [];
const losses = [];
for (let update = 1; update <= steps; update++) {
  await scope(async () => {
    // A batch of its own in every step, as a loader gives it.
    const pixels = Uint8Array.from({ length: 8 * 32 * 32 * 3 }, (_, i) => ((i >> 5) * (3 + (update % 4))) % 256);
    const video = Tensor.fromArray(pixels, [1, 8, 32, 32, 3]);
    const index = (from, count) =>
      Tensor.fromArray(
        Int32Array.from({ length: count }, (_, i) => from + 4 * i),
        [1, count],
      );
    const { loss } = step({ video, visible: index(update % 4, 8), decoded: index((update + 1) % 4, 16) }, { update });
    losses.push(await loss.item());
  });
  if ([10, 100, steps].includes(update)) reports.push(await report());
}
step[Symbol.dispose]();
optimizer.dispose();
model.dispose();
console.log(JSON.stringify({ reports, end: await report(), first: losses[0], last: losses.at(-1) }));
