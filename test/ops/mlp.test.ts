import { describe, expect, it } from "vitest";
import { backward } from "#lib/autograd/backward.js";
import { linear } from "#lib/ops/linear.js";
import { mlp } from "#lib/ops/mlp.js";
import { scope } from "#lib/tensor/scope.js";
import { Tensor } from "#lib/tensor/tensor.js";
import { checkGradient, expectClose, numbers, values } from "./check-gradient.js";

const shapes = { x: [2, 5, 3], weight1: [7, 3], bias1: [7], weight2: [4, 7], bias2: [4], residual: [2, 5, 4] };
type Name = keyof typeof shapes;

/** The result, and the gradients of the inputs that `needed` names. */
function run(fn: (t: Record<Name, Tensor>) => Tensor, needed: readonly Name[]): [number[], Map<Name, number[]>] {
  return scope(() => {
    const entries = Object.entries(shapes).map(([name, shape]) => {
      const count = shape.reduce((a, b) => a * b);
      const tensor = Tensor.fromArray(numbers(count, name), shape, "f64");
      tensor.requiresGrad = needed.includes(name as Name);
      return [name, tensor] as const;
    });
    const inputs = Object.fromEntries(entries) as Record<Name, Tensor>;
    const y = fn(inputs);
    backward(y, Tensor.fromArray(numbers(y.size, "gradient"), y.shape, "f64"));
    return [values(y), new Map(needed.map((name) => [name, values(inputs[name].grad!)]))];
  });
}

describe("mlp", () => {
  const [x, weight1, bias1, weight2, bias2, residual] = Object.values(shapes).map((shape) => ({ shape }));

  it("has the gradient that differences give", () => {
    checkGradient(
      (x, w1, b1, w2, b2, r) => mlp(x, { weight: w1, bias: b1 }, { weight: w2, bias: b2 }, r),
      [x, weight1, bias1, weight2, bias2, residual],
    );
    checkGradient((x, w1, w2, b2) => mlp(x, { weight: w1 }, { weight: w2, bias: b2 }), [x, weight1, weight2, bias2]);
    checkGradient((x, w1, b1, w2) => mlp(x, { weight: w1, bias: b1 }, { weight: w2 }), [x, weight1, bias1, weight2]);
  });

  it.each<{ needed: Name[] }>([
    { needed: ["x", "weight1", "bias1", "weight2", "bias2", "residual"] },
    { needed: ["weight2", "bias2"] },
    { needed: ["bias1"] },
    { needed: ["x"] },
  ])("gives what two linear layers give, for $needed", ({ needed }) => {
    const [y, gradients] = run(
      (t) => mlp(t.x, { weight: t.weight1, bias: t.bias1 }, { weight: t.weight2, bias: t.bias2 }, t.residual),
      needed,
    );
    const [expected, wanted] = run((t) => {
      const hidden = linear(t.x, t.weight1, { bias: t.bias1, gelu: true });
      return linear(hidden, t.weight2, { bias: t.bias2, residual: t.residual });
    }, needed);
    expect(y).toEqual(expected);
    scope(() => {
      for (const [name, gradient] of gradients) {
        expectClose(Tensor.fromArray(gradient, [gradient.length], "f64"), wanted.get(name)!, 1e-14);
      }
    });
  });
});
