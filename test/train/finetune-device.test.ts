// A fine-tuning step compiled against the same step run plainly, bit for bit: mixing, drop path, head dropout, accumulation,
// layer-wise decay and averages, on the CPU and on the device `emu`, where it is captured and replayed.
import { describe, expect, it } from "vitest";
import { backward } from "#lib/autograd/backward.js";
import { withRandomKey } from "#lib/autograd/random-key.js";
import { parseFinetuneConfig } from "#lib/config/finetune-config.js";
import { resolveClassifierConfig } from "#lib/models/classifier-config.js";
import { AdamW } from "#lib/optim/adamw.js";
import { ParameterEma } from "#lib/optim/ema.js";
import { RandomStream } from "#lib/random.js";
import { memory } from "#lib/tensor/memory.js";
import { scope } from "#lib/tensor/scope.js";
import { Tensor } from "#lib/tensor/tensor.js";
import { finetuneObjective } from "#lib/train/finetune.js";
import { trainingSteps } from "#lib/train/training-steps.js";
import { hasEmulator } from "../devices.js";

const [clips, classes, accumulate, updates, decay] = [2, 5, 2, 5, 0.9];
const shape = {
  image: 16,
  frames: 4,
  patch: 8,
  width: 16,
  depth: 2,
  heads: 2,
  classes,
  dropPath: 0.3,
  headDropout: 0.2,
};

/** Inputs of a micro-batch, its own for each number. */
function inputsOf(number: number) {
  const stream = new RandomStream(3, "test", [number]);
  const floats = (...shape: number[]) =>
    Tensor.fromArray(
      Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => stream.uniform()),
      shape,
    );
  return {
    video: floats(clips, 3, shape.frames, shape.image, shape.image),
    target: floats(clips, classes),
    lambda: floats(clips),
    box: Tensor.fromArray(Int32Array.of(2, 9, 3, 14, 0, 0, 0, 0), [clips, 4]),
  };
}

/** Parameters, averages and the losses of a training. */
function trained(device: "cpu" | "emu", dtype: "f32" | "bf16", compiled: boolean) {
  const config = parseFinetuneConfig({
    data: "-",
    device,
    dtype,
    batchSize: clips,
    views: 1,
    layerDecay: 0.6,
    seed: 2,
  });
  const objective = finetuneObjective({ config, model: resolveClassifierConfig("vit-tiny", shape) });
  using model = objective.model;
  using optimizer = new AdamW(objective.groups, { weightDecay: 0.05, clipNorm: 1 });
  using ema = new ParameterEma(optimizer);
  using steps = trainingSteps(objective.loss, optimizer, accumulate, { ema, decay });
  const losses: number[] = [];
  for (let update = 0; update < updates; update++) {
    const values = { learningRate: 1e-2 / (1 + update), weightDecay: 0.05 };
    for (let microStep = 0; microStep < accumulate; microStep++) {
      const inputs = inputsOf(update * accumulate + microStep);
      const last = microStep === accumulate - 1;
      withRandomKey({ seed: 2, update, microStep }, () => {
        if (compiled) {
          const { loss } = last ? steps.update(inputs, values) : steps.accumulate(inputs, undefined);
          losses.push(loss.readSync()[0]);
          return;
        }
        scope(() => {
          const { video, target, lambda, box } = inputs; // a compiled step moves them itself
          const moved = {
            video: video.to(device),
            target: target.to(device),
            lambda: lambda.to(device),
            box: box.to(device),
          };
          const loss = objective.loss(moved);
          backward(loss, Tensor.fromArray([1 / accumulate], [], "f32", device));
          losses.push(loss.readSync()[0]);
          if (!last) return;
          optimizer.step(values);
          ema.update(decay);
        });
      });
      for (const tensor of Object.values(inputs)) tensor.dispose();
    }
  }
  return {
    losses,
    parameters: model.namedParameters().map(([name, { value }]) => [name, value.readSync()]),
    averages: ema.averages().map(({ name, data }) => [name, data]),
  };
}

describe.each(["cpu", "emu"] as const)("on %s", (device) => {
  it.skipIf(device === "emu" && !hasEmulator).each(["f32", "bf16"] as const)(
    "a compiled step in %s is the plain one",
    (dtype) => {
      const before = memory(device).live;
      const [compiled, plain] = [trained(device, dtype, true), trained(device, dtype, false)];
      expect(compiled).toEqual(plain);
      expect(new Set(compiled.losses).size).toBe(updates * accumulate);
      expect(memory(device).live).toBe(before);
    },
    300_000,
  );
});

describe.skipIf(!hasEmulator)("emu", () => {
  it("follows the CPU", () => {
    const [cpu, emu] = [trained("cpu", "f32", true), trained("emu", "f32", true)];
    for (const [i, loss] of cpu.losses.entries()) expect(Math.abs(emu.losses[i] - loss)).toBeLessThanOrEqual(1e-4);
  }, 300_000);
});
