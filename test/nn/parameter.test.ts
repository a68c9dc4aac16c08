// The bf16 copy of a parameter: always the value, rounded; its gradients are the value's.
import { describe, expect, it } from "vitest";
import { backward } from "#lib/autograd/backward.js";
import { Linear } from "#lib/nn/linear.js";
import { cast } from "#lib/ops/cast.js";
import { linear } from "#lib/ops/linear.js";
import { fill } from "#lib/ops/random.js";
import { sum } from "#lib/ops/sum.js";
import { AdamW, parameterGroups } from "#lib/optim/adamw.js";
import { scope } from "#lib/tensor/scope.js";
import { Tensor } from "#lib/tensor/tensor.js";

const bits = (x: Tensor) => scope(() => cast(x, "bf16").readSync());

describe("a parameter of a bf16 model", () => {
  it("is f32 with a bf16 copy where products read it, up to date however the value was written", () =>
    scope(() => {
      using layer = new Linear(7, 5).materialize({ dtype: "bf16" });
      const { weight, bias } = layer;
      expect([weight.value.dtype, weight.operand.dtype, bias!.operand.dtype]).toEqual(["f32", "bf16", "f32"]);
      expect(weight.operand.readSync()).toEqual(bits(weight.value));
      weight.value.write(Float32Array.from({ length: 35 }, (_, i) => i / 7));
      expect(weight.operand.readSync()).toEqual(bits(weight.value));
      fill(weight.value, 1 / 3);
      expect(weight.operand.readSync()).toEqual(bits(weight.value));
      const others = layer.namedParameters().map(([name, { shape }]) => {
        const size = shape.reduce((product, n) => product * n, 1);
        return [name, { shape, data: new Float32Array(size).fill(0.3) }] as const;
      });
      layer.load(new Map(others));
      expect(weight.operand.readSync()).toEqual(bits(weight.value));
    }));

  it("is rounded by the optimiser, and gets f32 gradients that add up", () =>
    scope(() => {
      using layer = new Linear(7, 5).materialize({ dtype: "bf16", seed: 1 });
      using optimizer = new AdamW(parameterGroups(layer));
      const x = cast(
        Tensor.fromArray(
          Float32Array.from({ length: 21 }, (_, i) => Math.sin(i)),
          [3, 7],
        ),
        "bf16",
      );
      for (let step = 0; step < 3; step++) {
        backward(sum(cast(layer.forward(x), "f32")));
        const { grad } = layer.weight.value;
        const once = grad!.readSync();
        expect(grad!.dtype).toBe("f32");
        backward(sum(cast(layer.forward(x), "f32")));
        expect(grad!.readSync()).toEqual((once as Float32Array).map((g) => 2 * g));
        optimizer.step({ learningRate: 0.01 });
        expect(layer.weight.copy!.readSync()).toEqual(bits(layer.weight.value)); // written by the step, not at a reading
        expect(layer.weight.operand).toBe(layer.weight.copy);
      }
      expect(optimizer.updates).toBe(3);
    }));
});

describe("gradients of mixed dtypes", () => {
  it("reach bf16 leaves and bf16 results in bf16", () =>
    scope(() => {
      const x = cast(Tensor.fromArray([1, 2, 3, 4], [2, 2]), "bf16");
      const leaf = cast(Tensor.fromArray([1, -1, 0.5, 2], [2, 2]), "bf16");
      leaf.requiresGrad = true;
      const wide = Tensor.fromArray([1, -1, 0.5, 2], [2, 2]);
      wide.requiresGrad = true;
      backward(sum(cast(linear(x, leaf), "f32")));
      backward(sum(cast(linear(x, cast(wide, "bf16")), "f32")));
      expect(leaf.grad!.dtype).toBe("bf16");
      expect(Array.from(cast(leaf.grad!, "f32").readSync())).toEqual([4, 6, 4, 6]);
      expect([wide.grad!.dtype, ...wide.grad!.readSync()]).toEqual(["f32", 4, 6, 4, 6]);
    }));
});
