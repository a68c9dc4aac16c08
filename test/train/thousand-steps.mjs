// Many training steps of a tiny model. Prints what memory, descriptors and threads were after steps 10, 100 and the last.
//
//   node --expose-gc test/train/thousand-steps.mjs <steps> <"plain" or "recompute">        compiled steps alone
//   node --expose-gc test/train/thousand-steps.mjs <steps> run <clips> <folder>            `pretrain` on encoded clips
//
// The run has loader threads, bad files, a log line for every update, and a checkpoint every tenth part of the way.
import { readdirSync, readFileSync } from "node:fs";
import { setImmediate as turn } from "node:timers/promises";
import { backward } from "#lib/autograd/backward.js";
import { compileStep } from "#lib/autograd/compile-step.js";
import { withRandomKey } from "#lib/autograd/random-key.js";
import { pretrainModel } from "#lib/models/pretrain.js";
import { AdamW, parameterGroups } from "#lib/optim/adamw.js";
import { memory, threads } from "#lib/tensor/memory.js";
import { scope } from "#lib/tensor/scope.js";
import { Tensor } from "#lib/tensor/tensor.js";
import { pretrain } from "#lib/train/pretrain.js";

threads(1); // the model is too small to gain from more
const steps = Number(process.argv[2]);
const [kind, clips, folder] = process.argv.slice(3);
const reports = [];
const losses = [];

/** What this process holds now. */
function holds() {
  globalThis.gc();
  const { live, tensors, systemAllocations, leaked } = memory();
  const { heapUsed: heap, rss, arrayBuffers } = process.memoryUsage();
  return {
    ...{ live, tensors, systemAllocations, leaked, heap, rss, arrayBuffers },
    descriptors: readdirSync("/proc/self/fd").length,
    threads: Number(/^Threads:\s*(\d+)/m.exec(readFileSync("/proc/self/status", "utf8"))[1]),
  };
}

async function report() {
  for (let i = 0; i < 4; i++) {
    globalThis.gc();
    await turn();
  }
  return holds();
}

async function compiledSteps() {
  const model = pretrainModel("vit-tiny", { seed: 1, dropPath: 0.1, recompute: kind === "recompute" });
  const optimizer = new AdamW(parameterGroups(model), { clipNorm: 1 });
  const step = compileStep(({ video, visible, decoded }) => {
    const loss = model.loss(video, { visible, decoded });
    backward(loss);
    return { loss, ...optimizer.step({ learningRate: 1e-4 }) };
  });
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
      const inputs = { video, visible: index(update % 4, 8), decoded: index((update + 1) % 4, 16) };
      const { loss } = withRandomKey({ seed: 1, update, microStep: 0 }, () => step(inputs));
      losses.push(await loss.item());
    });
    if ([10, 100, steps].includes(update)) reports.push(await report());
  }
  step[Symbol.dispose]();
  optimizer.dispose();
  model.dispose();
}

async function wholeRun() {
  const shape = { model: "vit-tiny", stride: 2, batchSize: 2, maskRatio: 0.75, threads: 1 };
  await pretrain(
    { ...shape, data: clips, out: folder, steps, lr: 0.05, logEvery: 1, saveEvery: Math.ceil(steps / 20) },
    {
      onStep: ({ step, loss }) => {
        losses.push(loss);
        if ([10, 100, steps].includes(step)) reports.push(holds());
      },
    },
  );
}

await (kind === "run" ? wholeRun() : compiledSteps());
console.log(JSON.stringify({ reports, end: await report(), first: losses[0], last: losses.at(-1) }));
