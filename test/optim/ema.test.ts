// Averages of parameters: by their definition, in their parameters' place, in captured steps, and by name.
import { describe, expect, it } from "vitest";
import { backward } from "#lib/autograd/backward.js";
import { compileStep } from "#lib/autograd/compile-step.js";
import { Linear } from "#lib/nn/linear.js";
import type { Module, RealType } from "#lib/nn/module.js";
import { mean, square } from "#lib/ops/index.js";
import { AdamW, parameterGroups } from "#lib/optim/adamw.js";
import { ParameterEma } from "#lib/optim/ema.js";
import type { Device } from "#lib/tensor/dtype.js";
import { scope } from "#lib/tensor/scope.js";
import { Tensor } from "#lib/tensor/tensor.js";
import { largestDifference } from "../compare.js";
import { hasEmulator } from "../devices.js";
import { formulaUnit } from "../fixtures.js";

const [inputs, outputs, clips] = [24, 5, 3];
const unit = (name: string, count: number) => Float32Array.from(formulaUnit(5, name, count));
const layer = (dtype: RealType, device: Device) => new Linear(inputs, outputs).materialize({ dtype, device });
const batch = (dtype: "f32" | "bf16", device: Device) =>
  Tensor.fromArray(Array.from(unit("x", clips * inputs)), [clips, inputs], dtype, device);
const values = (module: Module) => module.namedParameters().map(([, { value }]) => value.readSync() as Float32Array);

/** Writes known gradients and steps. */
function step(module: Module, optimizer: AdamW, number: number): void {
  for (const [name, { value }] of module.namedParameters()) value.grad!.write(unit(`${name}.${number}`, value.size));
  for (const tensor of Object.values(optimizer.step({ learningRate: 0.1 }))) tensor.dispose();
}

describe("ParameterEma", () => {
  it("follows the parameters as defined", () => {
    using module = layer("f32", "cpu");
    using optimizer = new AdamW(parameterGroups(module));
    using ema = new ParameterEma(optimizer);
    const expected = new Map(optimizer.flat.segments.map(({ name }, i) => [name, Array.from(values(module)[i])]));
    for (let update = 0; update < 5; update++) {
      step(module, optimizer, update);
      const decay = update === 0 ? 0.5 : 0.9;
      ema.update(decay);
      for (const [name, { value }] of module.namedParameters()) {
        const now = value.readSync();
        const averages = expected.get(name)!;
        for (const i of averages.keys()) averages[i] = decay * averages[i] + (1 - decay) * now[i];
      }
    }
    for (const { name, data } of ema.averages())
      expect(largestDifference(data, expected.get(name)!)).toBeLessThan(1e-6);
  });

  it.each(["f32", "bf16"] as const)("takes the parameters' place and gives it back, %s", (dtype) => {
    using module = layer(dtype, "cpu");
    using optimizer = new AdamW(parameterGroups(module));
    using ema = new ParameterEma(optimizer);
    for (let update = 0; update < 3; update++) {
      step(module, optimizer, update);
      ema.update(0.8);
    }
    using averaged = layer(dtype, "cpu");
    averaged.load(new Map(ema.averages().map(({ name, shape, data }) => [name, { shape, data }])));
    const output = (of: Linear) => scope(() => of.forward(batch(dtype, "cpu")).readSync());
    const [trained, trainedValues, averages] = [output(module), values(module), values(averaged)];
    module.packWeights();
    {
      using _averages = ema.apply();
      expect(values(module)).toEqual(averages);
      expect(output(module)).toEqual(output(averaged));
      expect(output(module)).not.toEqual(trained);
    }
    expect(values(module)).toEqual(trainedValues);
    expect(output(module)).toEqual(trained);
    expect(ema.averages().map(({ data }) => data)).toEqual(averages);
  });

  it("restores averages by name", () => {
    const run = (interrupted: boolean) => {
      using module = layer("f32", "cpu");
      using optimizer = new AdamW(parameterGroups(module));
      let ema = new ParameterEma(optimizer);
      for (let update = 0; update < 6; update++) {
        if (interrupted && update === 3) {
          const saved = new Map(ema.averages().map(({ name, shape, data }) => [name, { shape, data }]));
          ema.dispose();
          ema = new ParameterEma(optimizer);
          ema.restore((name) => saved.get(name)!);
        }
        step(module, optimizer, update);
        ema.update(0.9);
      }
      const averages = ema.averages().map(({ name, data }) => [name, data]);
      ema.dispose();
      return averages;
    };
    expect(run(true)).toEqual(run(false));
  });

  it("refuses a decay out of bounds, another shape, and work on averages that are applied", () => {
    using module = layer("f32", "cpu");
    using optimizer = new AdamW(parameterGroups(module));
    using ema = new ParameterEma(optimizer);
    expect(() => ema.update(1.5)).toThrow(/a decay from 0 to 1; got 1.5/);
    expect(() => ema.restore(() => ({ shape: [1], data: Float32Array.of(1) }))).toThrow(
      /average of weight: expected \[5,24\]; got \[1\]/,
    );
    using _averages = ema.apply();
    for (const work of [() => ema.update(0.9), () => ema.apply(), () => ema.averages()]) {
      expect(work).toThrow(/expected parameters in their own place; got averages in their place/);
    }
  });
});

describe.skipIf(!hasEmulator)("ParameterEma in captured steps", () => {
  it.each(["f32", "bf16"] as const)("is as in plain ones, its decay a value, %s", (dtype) => {
    const device = "emu";
    const run = (compiled: boolean) => {
      using module = layer(dtype, device);
      using optimizer = new AdamW(parameterGroups(module));
      using ema = new ParameterEma(optimizer);
      using x = batch(dtype, device);
      const loss = () => mean(square(module.forward(x)));
      const train = ({ decay }: { decay: number | Tensor }) => {
        const before = loss();
        backward(before);
        optimizer.step({ learningRate: 0.05 });
        ema.update(decay);
        return { loss: before };
      };
      using trained = compileStep((_: object, at: { decay: Tensor }) => train(at), { device });
      using judged = compileStep((_: object) => ({ loss: loss() }), { device });
      const losses: number[] = [];
      const judge = () => scope(() => losses.push((compiled ? judged({}) : { loss: loss() }).loss.readSync()[0]));
      for (let update = 0; update < 5; update++) {
        const decay = 0.5 + update / 10;
        scope(() => losses.push((compiled ? trained({}, { decay }) : train({ decay })).loss.readSync()[0]));
        judge();
        using _averages = ema.apply();
        judge();
      }
      return { losses, averages: ema.averages().map(({ data }) => data) };
    };
    const plain = run(false);
    expect(run(true)).toEqual(plain);
    expect(new Set(plain.losses).size).toBeGreaterThan(10);
  });
});
