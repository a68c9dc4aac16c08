// AdamW against the reference: 20 steps, parameters after each, final moments, norms before clipping.
import { describe, expect, it } from "vitest";
import { zeros } from "#lib/nn/initializers.js";
import { Module } from "#lib/nn/module.js";
import { AdamW, parameterGroups } from "#lib/optim/adamw.js";
import { Tensor } from "#lib/tensor/tensor.js";
import { largestDifference } from "../compare.js";
import { formulaUnit, haveShared, loadFixture } from "../fixtures.js";

const shapes = { matrix: [7, 5], bias: [11], cube: [2, 3, 4] };

class Three extends Module {
  readonly matrix = this.parameter("matrix", shapes.matrix, zeros);
  readonly bias = this.parameter("bias", shapes.bias, zeros);
  readonly cube = this.parameter("cube", shapes.cube, zeros);
}

describe.skipIf(!haveShared)("AdamW", () => {
  const { json, tensors } = loadFixture("adamw");
  const reference = (key: string) => tensors.get(key)!.data as Float32Array;

  it.each(Object.keys(json.cases))("%s follows the reference", (name) => {
    const settings = json.cases[name];
    using module = new Three().materialize();
    const parameters = module.namedParameters();
    const unit = (key: string, size: number) => Float32Array.from(formulaUnit(json.seed, key, size));
    for (const [key, { value }] of parameters) value.write(unit(`${key}.init`, value.size));
    const groups = parameters.map(([key, parameter], i) => ({
      parameters: [[key, parameter]] as const,
      decayed: key !== "bias",
      learningRateScale: settings.lr_scale[i],
    }));
    using optimizer = new AdamW(groups, {
      betas: settings.betas,
      eps: settings.eps,
      weightDecay: settings.weight_decay,
      clipNorm: settings.clip_grad ?? undefined,
    });
    for (let step = 0; step < 20; step++) {
      for (const [key, { value }] of parameters) {
        const scale = settings.grad_scale[step];
        const unitGradient = formulaUnit(json.seed, `${key}.grad.${step}`, value.size);
        value.grad!.write(Float32Array.from(unitGradient, (u) => scale * u));
      }
      const results = optimizer.step({ learningRate: settings.lr[step] });
      expect(results.gradientNorm.readSync()[0] / reference(`${name}.grad_norm`)[step]).toBeCloseTo(1, 5);
      for (const tensor of Object.values(results)) tensor.dispose();
      for (const [key, { value }] of parameters) {
        const want = reference(`${name}.${key}`).subarray(step * value.size, (step + 1) * value.size);
        expect(largestDifference(value.readSync(), want), `${key} after step ${step}`).toBeLessThanOrEqual(2e-6);
        expect(value.grad!.readSync().every((g) => g === 0)).toBe(true);
      }
    }
    for (const [kind, suffix] of [
      ["expAvg", "exp_avg"],
      ["expAvgSq", "exp_avg_sq"],
    ] as const) {
      for (const { name: key, data } of optimizer.moments(kind)) {
        expect(largestDifference(data, reference(`${name}.${key}.${suffix}`)), `${key} ${kind}`).toBeLessThanOrEqual(
          2e-6,
        );
      }
    }
  });
});

describe("AdamW", () => {
  const { NaN: nan, POSITIVE_INFINITY: infinity } = Number;
  it.each([
    ["values of a gradient", { matrix: [nan, infinity], bias: [] }, 1, { matrix: 2, bias: 0, cube: 0 }],
    ["a norm that overflows", { matrix: [], bias: [3e38, 3e38] }, 1, { matrix: 0, bias: 0, cube: 0 }],
    ["a loss", { matrix: [1], bias: [1] }, infinity, { matrix: 0, bias: 0, cube: 0 }],
    ["everything", { matrix: [1, nan], bias: [-infinity] }, nan, { matrix: 1, bias: 1, cube: 0 }],
  ])("changes nothing for %s that is not finite, and says where", (_, gradients, lossValue, counts) => {
    using module = new Three().materialize();
    using optimizer = new AdamW(parameterGroups(module), { clipNorm: 1 });
    using loss = Tensor.fromArray([lossValue], []);
    for (const [name, values] of Object.entries(gradients)) {
      const { grad, size } = new Map(module.namedParameters()).get(name)!.value;
      grad!.write(Float32Array.from({ length: size }, (_, i) => values[i] ?? 0));
    }
    const results = optimizer.step({}, loss);
    expect(results.skipped.readSync()[0]).toBe(1);
    const blamed = results.nonFinite.readSync();
    expect(Object.fromEntries(optimizer.names.map((name, i) => [name, blamed[i]]))).toEqual(counts);
    expect(optimizer.updates).toBe(0);
    for (const [, { value }] of module.namedParameters()) {
      expect(value.readSync().every((w) => w === 0)).toBe(true);
      expect(value.grad!.readSync().every((g) => g === 0)).toBe(true);
    }
    for (const tensor of Object.values(results)) tensor.dispose();
  });

  it("refuses a parameter in two groups, and a misspelt option", () => {
    using module = new Three().materialize();
    const groups = parameterGroups(module);
    expect(() => new AdamW([...groups, ...groups])).toThrow(/each parameter in one group/);
    expect(() => new AdamW(groups, { weigthDecay: 1 } as object)).toThrow(/did you mean "weightDecay"/);
  });

  it("restores its moments by name", () => {
    const run = (interrupted: boolean) => {
      using module = new Three().materialize();
      let optimizer = new AdamW(parameterGroups(module));
      for (let step = 0; step < 6; step++) {
        if (interrupted && step === 3) {
          const copies = (kind: "expAvg" | "expAvgSq") => optimizer.moments(kind).map((moment) => ({ ...moment }));
          const saved = { expAvg: copies("expAvg"), expAvgSq: copies("expAvgSq") };
          const { updates } = optimizer;
          optimizer.dispose();
          optimizer = new AdamW(parameterGroups(module).reverse());
          optimizer.restore(updates, (kind, name) => saved[kind].find((m) => m.name === name)!);
        }
        for (const [key, { value }] of module.namedParameters()) {
          value.grad!.write(Float32Array.from(formulaUnit(1, `${key}.${step}`, value.size)));
        }
        for (const tensor of Object.values(optimizer.step())) tensor.dispose();
      }
      const result = module.namedParameters().map(([name, { value }]) => [name, value.readSync()]);
      optimizer.dispose();
      return result;
    };
    expect(run(true)).toEqual(run(false));
  });
});
