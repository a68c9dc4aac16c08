// Gradients of parameters are added where they are made: into the gradient of the leaf, by the op's own kernel. They have
// the bits of gradients that are made alone and added afterwards.
import { describe, expect, it } from "vitest";
import { binding } from "#lib/addon/binding.js";
import { backward } from "#lib/autograd/backward.js";
import { embedVisible } from "#lib/ops/embed-visible.js";
import { addLayerNorm, layerNorm } from "#lib/ops/layer-norm.js";
import { linear } from "#lib/ops/linear.js";
import { mlp } from "#lib/ops/mlp.js";
import type { DType } from "#lib/tensor/dtype.js";
import { threads } from "#lib/tensor/memory.js";
import { nativeOp } from "#lib/tensor/native-op.js";
import { scope } from "#lib/tensor/scope.js";
import { Tensor } from "#lib/tensor/tensor.js";
import { numbers } from "../ops/check-gradient.js";

type Op = (input: Tensor, parameters: readonly Tensor[]) => Tensor;
interface Case {
  readonly name: string;
  readonly input: readonly number[];
  /** Shapes, and whether products read the parameter: then it is of the input's dtype. */
  readonly parameters: readonly { readonly shape: readonly number[]; readonly matrix: boolean }[];
  readonly op: Op;
}

const matrix = (...shape: number[]) => ({ shape, matrix: true });
const vector = (...shape: number[]) => ({ shape, matrix: false });
const cases: readonly Case[] = [
  {
    name: "linear",
    input: [3, 70, 40],
    parameters: [matrix(33, 40), vector(33)],
    op: (x, [weight, bias]) => linear(x, weight, { bias, gelu: true }),
  },
  {
    name: "mlp",
    input: [3, 70, 40],
    parameters: [matrix(96, 40), vector(96), matrix(24, 96), vector(24)],
    op: (x, [weight, bias, weight2, bias2]) => mlp(x, { weight, bias }, { weight: weight2, bias: bias2 }),
  },
  {
    name: "layerNorm",
    input: [3, 70, 40],
    parameters: [vector(40), vector(40)],
    op: (x, [weight, bias]) => layerNorm(x, weight, bias),
  },
  {
    name: "addLayerNorm",
    input: [3, 70, 40],
    parameters: [vector(40), vector(40)],
    op: (x, [weight, bias]) => addLayerNorm(x, x, weight, bias).y,
  },
  {
    name: "embedVisible",
    input: [1, 2, 8, 8, 3],
    parameters: [matrix(24, 3, 2, 4, 4), vector(24)],
    op: (video, [weight, bias]) =>
      embedVisible(
        nativeOp("cast", { x: video, dtype: "u8" }).y,
        Tensor.fromArray(Int32Array.of(0, 3), [1, 2]),
        weight,
        bias,
        Tensor.zeros([4, 24]),
      ),
  },
];

/** What each pass over other numbers adds to the gradients, from what they hold at first. */
function run({ input, parameters, op, name }: Case, dtype: DType, held: number, passes: readonly number[]) {
  return scope(() => {
    const draw = (shape: readonly number[], key: string, type: DType) =>
      Tensor.fromArray(
        numbers(
          shape.reduce((a, b) => a * b),
          `${name}.${key}`,
        ),
        shape,
        type,
      );
    // A matrix of bf16 is the copy of an f32 leaf, as in a model.
    const leaves = parameters.map(({ shape }, i) => {
      const leaf = draw(shape, String(i), "f32");
      leaf.requiresGrad = true;
      leaf.grad = Tensor.fromArray(new Array(leaf.size).fill(held), shape);
      return leaf;
    });
    const operands = leaves.map((leaf, i) => {
      if (!parameters[i].matrix || dtype === "f32") return leaf;
      const copy = nativeOp("cast", { x: leaf, dtype }).y;
      copy.requiresGrad = true;
      copy.master = leaf;
      return copy;
    });
    for (const pass of passes) {
      const y = op(draw(input, `x${pass}`, dtype), operands);
      backward(y, draw(y.shape, `gradient${pass}`, y.dtype));
    }
    return leaves.map(({ grad }) => grad!.readSync() as Float32Array);
  });
}

describe.each(["f32", "bf16"] as const)("gradients of parameters in %s", (dtype) => {
  it.each(cases)("$name adds to what is there, as if it were added afterwards", (tested) => {
    const [first, second] = [1, 2].map((pass) => run(tested, dtype, 0, [pass]));
    const sums = first.map((g, i) => g.map((value, j) => Math.fround(Math.fround(0.5 + value) + second[i][j])));
    expect(run(tested, dtype, 0.5, [1, 2])).toEqual(sums);
  });

  it.each(cases)("$name gives the same bits on 1, 2 and 3 threads", (tested) => {
    const before = threads();
    try {
      const [one, two, three] = [1, 2, 3].map((count) => {
        threads(count);
        return run(tested, dtype, 0.5, [1, 2]);
      });
      expect(two).toEqual(one);
      expect(three).toEqual(one);
    } finally {
      threads(before);
    }
  });
});

describe("a gradient that is added", () => {
  const product = (gradWeight: Tensor, skip: string[] = []) =>
    nativeOp(
      "linearBackward",
      { gradY: Tensor.fromArray([1, 2], [2, 1]), x: Tensor.zeros([2, 3]), weight: Tensor.zeros([1, 3]), gradWeight },
      ["gradX", "gradBias", "gradInputBias", ...skip],
    );

  it("is not returned, and writes its tensor", () =>
    scope(() => {
      const slot = Tensor.zeros([1, 3]);
      const { version } = slot;
      expect(product(slot)).toEqual({});
      expect(slot.version).not.toBe(version);
    }));

  it("needs a tensor of its dtype and shape, alive, and not to be skipped", () =>
    scope(() => {
      expect(() => product(Tensor.zeros([3, 1]))).toThrow(
        "linearBackward: expected f32[1, 3] to add gradWeight to; got f32[3, 1]",
      );
      expect(() => product(Tensor.zeros([1, 3], "f64"))).toThrow(/got f64/);
      expect(() => product(Tensor.zeros([1, 3]), ["gradWeight"])).toThrow(/either skipped or given a tensor; got both/);
      const freed = Tensor.zeros([1, 3]);
      const { handle } = freed;
      freed.dispose();
      const [gradY, x, weight] = [
        [2, 1],
        [2, 3],
        [1, 3],
      ].map((shape) => Tensor.zeros(shape).handle);
      expect(() => binding.ops.linearBackward({ gradY, x, weight, gradWeight: handle })).toThrow(
        "linearBackward: expected a live tensor as gradWeight; got a freed one",
      );
    }));
});
