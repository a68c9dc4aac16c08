// Training as a whole: the reference's 10-step trajectories, AdamW's fixture, and the golden values of spec 13.
import { describe, expect, it } from "vitest";
import { backward } from "#lib/autograd/backward.js";
import { compileStep } from "#lib/autograd/compile-step.js";
import { pretrainModel } from "#lib/models/pretrain.js";
import { AdamW, parameterGroups } from "#lib/optim/adamw.js";
import { cosineSchedule } from "#lib/optim/schedule.js";
import { threads } from "#lib/tensor/memory.js";
import { Tensor } from "#lib/tensor/tensor.js";
import { relativeError } from "../compare.js";
import { formulaParameter, formulaVideo, haveShared, loadFixture } from "../fixtures.js";
import { fillGolden, goldenVideo } from "../golden.js";
import { fixtureModel, keptTokens } from "../models/fixture-model.js";
import { tolerances } from "../tolerances.js";

const runs = ["train10", "train10_clip"].flatMap((name) => (["f32", "bf16"] as const).map((d) => [name, d] as const));

describe.skipIf(!haveShared).each(runs)("%s in %s", (name, dtype) => {
  const { json, tensors } = loadFixture(name);
  const reference = (key: string) => tensors.get(key)!.data as Float32Array;
  const { lr, min_lr, warmup_steps, weight_decay, betas, eps, clip_grad } = json.optimizer;

  function train(
    compiled: boolean,
    recompute = false,
  ): { losses: number[]; norms: number[]; parameters: Map<string, ArrayLike<number>> } {
    const { img, frames, batch, seed } = json.config;
    using model = fixtureModel(json.config, dtype, { recompute });
    using optimizer = new AdamW(parameterGroups(model), {
      betas,
      eps,
      weightDecay: weight_decay,
      clipNorm: clip_grad ?? undefined,
    });
    using video = Tensor.fromArray(formulaVideo(seed, [batch, 3, frames, img, img]), [batch, 3, frames, img, img]);
    using visible = keptTokens(reference("input.encoder_mask"), batch);
    using decoded = keptTokens(reference("input.decoder_mask"), batch);
    const schedule = cosineSchedule({ base: lr, final: min_lr, steps: json.steps, warmupSteps: warmup_steps });
    const body = (
      inputs: { video: Tensor; visible: Tensor; decoded: Tensor },
      values: { learningRate: number | Tensor },
    ) => {
      const loss = model.loss(inputs.video, inputs);
      backward(loss);
      return { loss, ...optimizer.step(values) };
    };
    using step = compileStep(body);
    const [losses, norms]: number[][] = [[], []];
    for (let i = 0; i < json.steps; i++) {
      const [inputs, values] = [{ video, visible, decoded }, { learningRate: schedule.at(i) }];
      const results = compiled ? step(inputs, values) : body(inputs, values);
      losses.push(results.loss.readSync()[0]);
      norms.push(results.gradientNorm.readSync()[0]);
      if (!compiled) for (const tensor of Object.values(results)) tensor.dispose();
    }
    return { losses, norms, parameters: new Map(model.namedParameters().map(([n, p]) => [n, p.value.readSync()])) };
  }

  it("follows the reference's losses, norms and final parameters", () => {
    const { losses, norms, parameters } = train(true);
    for (let i = 0; i < json.steps; i++) {
      expect(Math.abs(losses[i] - json.loss[i]), `loss ${i}`).toBeLessThanOrEqual(tolerances[dtype].trajectory);
      expect(Math.abs(norms[i] / json.grad_norm[i] - 1), `norm ${i}`).toBeLessThanOrEqual(
        dtype === "f32" ? 1e-3 : 1e-2,
      );
    }
    const [got, want]: number[][] = [[], []];
    for (const [key, values] of parameters) {
      const initial = formulaParameter(json.config.seed, key, tensors.get(`final.${key}`)!.shape);
      const final = reference(`final.${key}`);
      for (let i = 0; i < values.length; i++) {
        got.push(values[i] - initial[i]);
        want.push(final[i] - initial[i]);
      }
    }
    expect(relativeError(got, want)).toBeLessThanOrEqual(dtype === "f32" ? 1e-3 : 5e-2);
  });

  it("is the same compiled and not, recomputed and not, and on 1, 2 and 3 threads, bit for bit", () => {
    const before = threads();
    try {
      const plain = train(false);
      expect(train(true, true)).toEqual(plain);
      for (const count of [1, 2, 3]) {
        threads(count);
        expect(train(true)).toEqual(plain);
      }
    } finally {
      threads(before);
    }
  });
});

describe("spec 13", () => {
  const tiny = { image: 32, patch: 8, frames: 8, width: 48, depth: 2, heads: 3 };
  const decoder = { decoderWidth: 24, decoderDepth: 2, decoderHeads: 3 };

  function goldenModel(normalizeTarget = true) {
    const model = pretrainModel({ ...tiny, ...decoder }, { dtype: "f64", normalizeTarget });
    fillGolden(model);
    return model;
  }

  const grid = { slices: 4, positions: 16 };
  const video = () => Tensor.fromArray(goldenVideo(), [2, 3, 8, 32, 32]);
  const visible = () => {
    const slices = Array.from({ length: grid.slices }, (_, t) => t * grid.positions);
    const tubes = [
      [1, 6, 11],
      [0, 7, 13],
    ].flatMap((positions) => slices.flatMap((from) => positions.map((p) => from + p)));
    return Tensor.fromArray(Int32Array.from(tubes), [2, 12]);
  };
  const decoded = () => {
    const kept = [0, 1].flatMap((phase) =>
      Array.from({ length: 64 }, (_, n) => n).filter((n) => {
        const [t, y, x] = [n >> 4, (n >> 2) & 3, n & 3];
        return (2 * (y % 2) + (x % 2) + phase + t + 1) % 4 >= 2;
      }),
    );
    return Tensor.fromArray(Int32Array.from(kept), [2, 32]);
  };

  it("gives the golden output, loss and gradients", () => {
    using model = goldenModel();
    using clip = video();
    using seen = visible();
    using rebuilt = decoded();
    const masks = { visible: seen, decoded: rebuilt };
    using prediction = model.forward(clip, masks);
    const out = Array.from(prediction.readSync());
    const first = [0.738988318, 0.839341636, 0.181500404, -0.203454919];
    const last = [-0.42908324, -0.25004209, -0.100943753, 0.353300967];
    for (const [i, value] of first.entries()) expect(out[i]).toBeCloseTo(value, 8);
    for (const [i, value] of last.entries()) expect(out[out.length - 4 + i]).toBeCloseTo(value, 7);
    expect(out.reduce((sum, value) => sum + Math.abs(value), 0)).toBeCloseTo(11556.6462105, 6);
    expect(out.reduce((sum, value) => sum + value, 0)).toBeCloseTo(401.288276894, 5);

    using loss = model.loss(clip, masks);
    expect(loss.readSync()[0]).toBeCloseTo(1.33264913368, 10);
    backward(loss);
    const lengths: Record<string, number> = {
      mask_token: 0.0414248290854,
      "encoder_to_decoder.weight": 0.0230514852668,
      "encoder.patch_embed.proj.weight": 0.0153180852289,
      "encoder.blocks.0.attn.qkv.weight": 0.00795056477046,
      "encoder.blocks.1.mlp.fc2.bias": 0.00341674771403,
      "encoder.norm.weight": 0.00169406216115,
      "decoder.blocks.0.attn.q_bias": 0.00111855186711,
      "decoder.head.bias": 0.0531716158125,
    };
    for (const [name, { value }] of model.namedParameters()) {
      if (!(name in lengths)) continue;
      const length = Math.sqrt(Array.from(value.grad!.readSync()).reduce((sum, g) => sum + g * g, 0));
      expect(length, name).toBeCloseTo(lengths[name], 10);
    }
  });

  it("gives the golden losses of raw targets and of no decoder mask", () => {
    using clip = video();
    using seen = visible();
    using rebuilt = decoded();
    {
      using model = goldenModel(false);
      using loss = model.loss(clip, { visible: seen, decoded: rebuilt });
      expect(loss.readSync()[0]).toBeCloseTo(0.575696761386, 10);
    }
    using model = goldenModel();
    const indices = seen.readSync();
    const hidden = [0, 1].flatMap((b) => {
      const sees = new Set(indices.subarray(b * 12, (b + 1) * 12));
      return Array.from({ length: 64 }, (_, n) => n).filter((n) => !sees.has(n));
    });
    using all = Tensor.fromArray(Int32Array.from(hidden), [2, 52]);
    using loss = model.loss(clip, { visible: seen, decoded: all });
    expect(loss.readSync()[0]).toBeCloseTo(1.32305169, 7);
  });

  it("takes the golden AdamW steps", () => {
    using model = goldenModel();
    using optimizer = new AdamW(parameterGroups(model), {
      lr: 1e-3,
      betas: [0.9, 0.95],
      weightDecay: 0.05,
      clipNorm: 0.02,
    });
    using clip = video();
    using seen = visible();
    using rebuilt = decoded();
    const [losses, norms]: number[][] = [[], []];
    for (let i = 0; i < 3; i++) {
      using loss = model.loss(clip, { visible: seen, decoded: rebuilt });
      losses.push(loss.readSync()[0]);
      backward(loss);
      const results = optimizer.step();
      norms.push(results.gradientNorm.readSync()[0]);
      for (const tensor of Object.values(results)) tensor.dispose();
    }
    for (const [i, value] of [1.33264913368, 1.29745783689, 1.26686702138].entries())
      expect(losses[i]).toBeCloseTo(value, 9);
    for (const [i, value] of [0.408296159643, 0.369907044459, 0.330802754767].entries())
      expect(norms[i]).toBeCloseTo(value, 9);
    const sum = model
      .namedParameters()
      .flatMap(([, { value }]) => Array.from(value.readSync()))
      .reduce((total, value) => total + Math.abs(value), 0);
    expect(sum).toBeCloseTo(6465.7548269, 5);
  });
});
