// Recomputation: the same bits, less memory.
import { describe, expect, it } from "vitest";
import { backward } from "#lib/autograd/backward.js";
import { checkpoint } from "#lib/autograd/checkpoint.js";
import { withRandomKey } from "#lib/autograd/random-key.js";
import { pretrainModel } from "#lib/models/pretrain.js";
import { Block } from "#lib/nn/block.js";
import { add, mul } from "#lib/ops/binary.js";
import { dropout } from "#lib/ops/dropout.js";
import { sum } from "#lib/ops/sum.js";
import { exp, square } from "#lib/ops/unary.js";
import { memory } from "#lib/tensor/memory.js";
import { scope } from "#lib/tensor/scope.js";
import { keep, Tensor } from "#lib/tensor/tensor.js";

const values = (x: Tensor | undefined) => x && Array.from(x.readSync());
const numbers = (count: number) => Float32Array.from({ length: count }, (_, i) => Math.sin(i * 12.9898) * 0.7);

function leaf(shape: number[]): Tensor {
  const x = Tensor.fromArray(numbers(shape.reduce((a, b) => a * b, 1)), shape);
  x.requiresGrad = true;
  return x;
}

describe("checkpoint", () => {
  const options = {
    width: 32,
    heads: 2,
    hidden: 64,
    qkvBias: true,
    cosineAttention: false,
    layerScale: 0.1,
    dropPath: 0.5,
    path: "blocks.0",
  };

  it("is bit-equal, with dropout and drop path, in results and all gradients", () => {
    using block = new Block(options).materialize({ seed: 1 });
    const body = (x: Tensor) => dropout(block.forward(x), 0.3, { path: "after" });
    const run = (recompute: boolean) =>
      scope(() =>
        withRandomKey({ seed: 5, update: 7, microStep: 1 }, () => {
          for (const [, p] of block.namedParameters()) {
            p.value.grad?.dispose();
            p.value.grad = undefined;
          }
          const x = leaf([4, 9, 32]);
          const y = recompute ? checkpoint(body, x) : body(x);
          const result = values(y);
          withRandomKey({ seed: 99, update: 0, microStep: 0 }, () => backward(sum(square(y)))); // another key in force
          return [result, values(x.grad), block.namedParameters().map(([name, p]) => [name, values(p.value.grad)])];
        }),
      );
    const plain = run(false);
    expect(run(true)).toEqual(plain);
    expect((plain[0] as number[]).filter((v) => v === 0).length).toBeGreaterThan(0); // dropout was at work
  });

  it("gives a whole model the same loss and gradients, bit for bit", () => {
    const run = (recompute: boolean) => {
      using model = pretrainModel("vit-tiny", { seed: 2, recompute, dropPath: 0.2 });
      return scope(() => {
        const index = (step: number) => Int32Array.from({ length: 32 }, (_, i) => step * (i % 16));
        const masks = {
          visible: Tensor.fromArray(index(4), [2, 16]),
          decoded: Tensor.fromArray(
            index(3).map((i) => i + 1),
            [2, 16],
          ),
        };
        const video = Tensor.fromArray(
          Uint8Array.from({ length: 2 * 8 * 32 * 32 * 3 }, (_, i) => i % 251),
          [2, 8, 32, 32, 3],
        );
        const loss = withRandomKey({ seed: 1, update: 3, microStep: 0 }, () => model.loss(video, masks));
        backward(loss);
        return [values(loss), model.namedParameters().map(([name, p]) => [name, values(p.value.grad)])];
      });
    };
    expect(run(true)).toEqual(run(false));
  });

  it("keeps only the inputs until the backward pass", () => {
    using x = leaf([10_000]);
    const chain = (y: Tensor) => exp(exp(exp(exp(mul(y, 0.1)))));
    const held = (body: () => Tensor) => {
      const { live } = memory();
      using y = scope(() => keep(body()));
      expect(y.requiresGrad).toBe(true);
      return memory().live - live;
    };
    const plain = held(() => chain(x));
    expect(held(() => checkpoint(chain, x))).toBeLessThan(plain / 3);
  });

  it("takes several inputs, some without gradient, and nests", () => {
    const run = (wrap: boolean) =>
      scope(() => {
        const [x, y] = [leaf([6]), leaf([6])];
        y.requiresGrad = false;
        const inner = (a: Tensor) => square(exp(a));
        const body = (a: Tensor, b: Tensor) => mul(wrap ? checkpoint(inner, a) : inner(a), b);
        backward(sum(wrap ? checkpoint(body, x, y) : body(x, y)));
        expect(y.grad).toBeUndefined();
        return values(x.grad);
      });
    expect(run(true)).toEqual(run(false));
  });

  it("frees everything, used or not", () => {
    const { live, tensors } = memory();
    scope(() => {
      const x = leaf([100]);
      checkpoint(exp, x);
      backward(sum(checkpoint(exp, x)));
    });
    expect(memory()).toMatchObject({ live, tensors });
  });

  it("allows blocks that compute nothing, or nothing from their input", () =>
    scope(() => {
      const x = leaf([2]);
      const other = Tensor.zeros([2]);
      backward(
        sum(
          add(
            checkpoint((a) => a, x),
            checkpoint(() => exp(other), x),
          ),
        ),
      );
      expect(values(x.grad)).toEqual([1, 1]);
    }));
});
