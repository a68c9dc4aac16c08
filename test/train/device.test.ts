// Training on a device, here the emulator: the reference's 10-step trajectories with the step captured and replayed.
import { describe, expect, it } from "vitest";
import { backward } from "#lib/autograd/backward.js";
import { compileStep, type StepTensors } from "#lib/autograd/compile-step.js";
import { AdamW, parameterGroups } from "#lib/optim/adamw.js";
import { cosineSchedule } from "#lib/optim/schedule.js";
import { memory } from "#lib/tensor/memory.js";
import { Tensor } from "#lib/tensor/tensor.js";
import { hasEmulator } from "../devices.js";
import { formulaVideo, haveShared, loadFixture } from "../fixtures.js";
import { fixtureModel, keptTokens } from "../models/fixture-model.js";
import { tolerances } from "../tolerances.js";

const runs = ["train10", "train10_clip"].flatMap((name) => (["f32", "bf16"] as const).map((d) => [name, d] as const));

describe.skipIf(!haveShared || !hasEmulator).each(runs)("%s in %s on emu", (name, dtype) => {
  it("follows the reference, replayed without the function being called", async () => {
    const { json, tensors } = loadFixture(name);
    const reference = (key: string) => tensors.get(key)!.data as Float32Array;
    const { lr, min_lr, warmup_steps, weight_decay, betas, eps, clip_grad } = json.optimizer;
    const { img, frames, batch, seed } = json.config;
    const before = memory("emu").live;
    {
      using model = fixtureModel(json.config, dtype, { device: "emu" });
      using optimizer = new AdamW(parameterGroups(model), {
        ...{ betas, eps, weightDecay: weight_decay, clipNorm: clip_grad ?? undefined },
      });
      using video = Tensor.fromArray(formulaVideo(seed, [batch, 3, frames, img, img]), [batch, 3, frames, img, img]);
      using visible = keptTokens(reference("input.encoder_mask"), batch);
      using decoded = keptTokens(reference("input.decoder_mask"), batch);
      let calls = 0;
      using step = compileStep(
        (
          inputs: { video: Tensor; visible: Tensor; decoded: Tensor },
          values: StepTensors<{ learningRate: number }>,
        ) => {
          calls++;
          const loss = model.loss(inputs.video, inputs);
          backward(loss);
          return { loss, ...optimizer.step(values) };
        },
        { device: "emu" },
      );
      const schedule = cosineSchedule({ base: lr, final: min_lr, steps: json.steps, warmupSteps: warmup_steps });
      for (let i = 0; i < json.steps; i++) {
        const { loss } = step({ video, visible, decoded }, { learningRate: schedule.at(i) });
        const error = Math.abs((await loss.item()) - json.loss[i]);
        expect(error, `loss ${i}`).toBeLessThanOrEqual(tolerances[dtype].trajectory);
      }
      expect(calls).toBe(3);
      expect(optimizer.updates).toBe(json.steps);
    }
    expect(memory("emu").live).toBe(before);
  }, 300_000);
});
