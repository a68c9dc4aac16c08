// The tape: what a backward pass gives, what it refuses, and when it lets go of memory.
import { describe, expect, it } from "vitest";
import { backward } from "#lib/autograd/backward.js";
import { checkpoint } from "#lib/autograd/checkpoint.js";
import { defineOp } from "#lib/autograd/define-op.js";
import { gradEnabled, noGrad, withGrad } from "#lib/autograd/grad-mode.js";
import { VideomaeError } from "#lib/errors.js";
import { add, mul, sub } from "#lib/ops/binary.js";
import { cast } from "#lib/ops/cast.js";
import { layerNorm } from "#lib/ops/layer-norm.js";
import { linear } from "#lib/ops/linear.js";
import { reshape } from "#lib/ops/reshape.js";
import { sum } from "#lib/ops/sum.js";
import { exp, sigmoid, square } from "#lib/ops/unary.js";
import { memory, resetPeakMemory } from "#lib/tensor/memory.js";
import { nativeOp } from "#lib/tensor/native-op.js";
import { scope } from "#lib/tensor/scope.js";
import { keep, Tensor } from "#lib/tensor/tensor.js";
import { checkGradient } from "../ops/check-gradient.js";

/** A leaf of f64 numbers. */
function leaf(...data: number[]): Tensor {
  const x = Tensor.fromArray(Float64Array.from(data), [data.length]);
  x.requiresGrad = true;
  return x;
}
const gradient = (x: Tensor) => (x.grad ? Array.from(x.grad.readSync()) : undefined);
/** Runs a body in a scope and expects native memory and tensors to be as before. */
function leavesNothing(body: () => void): void {
  const { live, tensors } = memory();
  scope(body);
  expect(memory()).toMatchObject({ live, tensors });
}

describe("gradients", () => {
  it("flow through a shared subgraph once from each side", () =>
    leavesNothing(() => {
      const x = leaf(1, 2);
      const shared = square(x); // used by both branches
      backward(sum(add(mul(shared, 3), exp(shared))));
      expect(gradient(x)).toEqual([1, 2].map((v) => expect.closeTo(2 * v * (3 + Math.exp(v * v)), 9)));
    }));

  it("add up for a tensor used twice by one op, and for a leaf used in many places", () =>
    leavesNothing(() => {
      const x = leaf(3);
      backward(sum(mul(x, x)));
      expect(gradient(x)).toEqual([6]);
      const y = leaf(2);
      let total = mul(y, y);
      for (let i = 0; i < 50; i++) total = add(total, y);
      backward(sum(total));
      expect(gradient(y)).toEqual([54]);
    }));

  it("accumulate over two passes", () =>
    leavesNothing(() => {
      const x = leaf(1, 2);
      backward(sum(square(x)));
      backward(sum(square(x)));
      expect(gradient(x)).toEqual([4, 8]);
    }));

  it("are as deep as the graph: thousands of ops", () =>
    leavesNothing(() => {
      const x = leaf(1);
      let y = x;
      for (let i = 0; i < 5000; i++) y = mul(y, 1.0001);
      backward(sum(y));
      expect(gradient(x)![0]).toBeCloseTo(1.0001 ** 5000, 9);
    }));

  it("stop at branches that require none", () =>
    leavesNothing(() => {
      const x = leaf(2);
      const fixed = Tensor.fromArray(Float64Array.of(5), [1]);
      const dead = square(fixed);
      expect([dead.requiresGrad, dead.history]).toEqual([false, undefined]);
      backward(sum(mul(x, dead)));
      expect(gradient(x)).toEqual([25]);
      expect(fixed.grad).toBeUndefined();
    }));

  it("take a seed for a loss that is no scalar, and leave the seed alive", () =>
    leavesNothing(() => {
      const x = leaf(1, 2);
      const seed = Tensor.fromArray(Float64Array.of(10, 100), [2]);
      backward(square(x), seed);
      expect(gradient(x)).toEqual([20, 400]);
      expect(Array.from(seed.readSync())).toEqual([10, 100]);
    }));

  it("may be the very same tensor for two inputs", () =>
    leavesNothing(() => {
      const [x, y] = [leaf(1), leaf(2)];
      const [a, b] = [square(x), square(y)];
      backward(sum(add(a, b)));
      expect([gradient(x), gradient(y)]).toEqual([[2], [4]]);
    }));

  it("reach leaves whose results have been disposed of, and a loss carried out of its scope", () =>
    leavesNothing(() => {
      const x = leaf(3);
      const loss = scope(() => keep(sum(square(square(x)))));
      backward(loss);
      expect(gradient(x)).toEqual([4 * 27]);
    }));
});

describe("errors", () => {
  it("name the loss that is no scalar, or has no history, or a seed of another shape", () =>
    leavesNothing(() => {
      const x = leaf(1, 2);
      expect(() => backward(square(x))).toThrow("a scalar loss; got f64[2]");
      expect(() => backward(x)).toThrow("f64[2] without history");
      expect(() => backward(noGrad(() => sum(square(x))))).toThrow(VideomaeError);
      expect(() => backward(square(x), Tensor.zeros([3], "f64"))).toThrow(
        "a gradient like the loss, f64[2]; got f64[3]",
      );
      expect(() => backward(square(x), Tensor.zeros([2], "f32"))).toThrow("got f32[2]");
      expect(x.grad).toBeUndefined();
    }));

  it("say that a graph can be walked once", () =>
    leavesNothing(() => {
      const loss = sum(square(leaf(1)));
      backward(loss);
      expect(() => backward(loss)).toThrow("a graph can be walked once");
    }));

  it("say so for a part shared with a graph that has been walked", () =>
    leavesNothing(() => {
      const shared = square(leaf(1));
      backward(sum(mul(shared, 2)));
      expect(() => backward(sum(mul(shared, 3)))).toThrow("what square saved for its gradient; got nothing");
    }));

  it("say that a leaf was freed before its gradient came", () =>
    leavesNothing(() => {
      const x = leaf(1);
      const loss = sum(square(x));
      x.dispose();
      expect(() => backward(loss)).toThrow("the leaf f64[1] alive");
      expect(x.grad).toBeUndefined();
    }));

  it("pass through what a product throws, leaving everything usable", () =>
    leavesNothing(() => {
      const faulty = defineOp("faulty", (save, x: Tensor) => {
        save({ x });
        return [
          mul(x, 2),
          () => {
            throw new Error("mine");
          },
        ];
      });
      const x = leaf(1);
      expect(() => backward(sum(square(faulty(square(x)))))).toThrow("mine");
      expect(x.grad).toBeUndefined();
      backward(sum(square(x)));
      expect(gradient(x)).toEqual([2]);
    }));
});

describe("noGrad", () => {
  it("records nothing, also across awaits, and withGrad turns recording on inside", async () => {
    expect(gradEnabled()).toBe(true);
    await noGrad(async () => {
      await Promise.resolve();
      expect(gradEnabled()).toBe(false);
      expect(withGrad(gradEnabled)).toBe(true);
    });
    expect(() =>
      noGrad(() => {
        throw new Error("mine");
      }),
    ).toThrow("mine");
    expect(gradEnabled()).toBe(true);
    leavesNothing(() => expect(noGrad(() => square(leaf(1))).requiresGrad).toBe(false));
  });
});

describe("memory", () => {
  it("of saved tensors goes when the graph goes, walked or not", () => {
    using x = leaf(...new Array<number>(1000).fill(1));
    const { live, tensors } = memory();
    const loss = scope(() => keep(sum(exp(exp(exp(x))))));
    expect(memory().live).toBeGreaterThanOrEqual(live + 3 * 8000);
    expect(memory().tensors).toBe(tensors + 1);
    loss.dispose();
    expect(memory()).toMatchObject({ live, tensors });
  });

  it("is released while the walk goes on, not at its end", () => {
    using x = leaf(...new Array<number>(10_000).fill(0.1));
    scope(() => {
      const loss = scope(() => {
        let y = x;
        for (let i = 0; i < 10; i++) y = exp(mul(y, 0.1));
        return keep(sum(y));
      });
      const { live } = memory();
      resetPeakMemory();
      backward(loss);
      expect(memory().live).toBeLessThan(live - 8 * 80_000); // ten saved results gone, one gradient made
      expect(memory().peak).toBeLessThan(live + 4 * 80_000);
    });
  });

  it("stays what a second branch still needs", () =>
    leavesNothing(() => {
      const x = leaf(2);
      const shared = square(x);
      const unused = exp(shared);
      unused.dispose();
      const used = sum(mul(shared, shared));
      shared.dispose();
      backward(used);
      expect(gradient(x)).toEqual([4 * 8]);
    }));

  it("is not lost when an op fails after saving", () =>
    leavesNothing(() => {
      const failing = defineOp("failing", (save, x: Tensor) => {
        save({ x: exp(x) });
        return [linear(x, x), () => []];
      });
      expect(() => failing(leaf(1, 2, 3))).toThrow("linear");
    }));
});

describe("defineOp", () => {
  const swish = defineOp("swish", (save, x: Tensor) => {
    const saved = save({ x });
    return [
      mul(x, sigmoid(x)),
      (gradY) => {
        const { x } = saved();
        const s = sigmoid(x);
        return [mul(gradY, add(s, mul(mul(x, s), sub(1, s))))];
      },
    ];
  });

  it("makes an op of a user's, whose gradient is right", () => {
    checkGradient(swish, [{ shape: [3, 4] }]);
    checkGradient((x) => square(swish(mul(x, 2))), [{ shape: [5] }]);
  });

  it("tells the product whose gradients are needed: lists in place, undefined as an absent tensor", () =>
    leavesNothing(() => {
      let told: readonly boolean[] = [];
      const op = defineOp("op", (_save, _list: Tensor[], _absent: Tensor | undefined, scale: number, last: Tensor) => [
        mul(last, scale),
        (gradY, needs) => {
          told = needs;
          return [undefined, undefined, undefined, mul(gradY, scale)];
        },
      ]);
      const [a, b, c] = [leaf(1), leaf(1), leaf(1)];
      b.requiresGrad = false;
      backward(sum(op([a, b], undefined, 3, c)));
      expect(told).toEqual([true, false, false, true]);
      expect([gradient(a), gradient(b), gradient(c)]).toEqual([undefined, undefined, [3]]);
    }));

  it("offers the gradient of a leaf to add to, where no other gradient of the op goes there", () =>
    leavesNothing(() => {
      let offered: (Tensor | undefined)[] = [];
      const op = defineOp("op", (_save, a: Tensor, b: Tensor, c: Tensor) => [
        add(a, add(b, c)),
        (gradY, needs, into) => {
          offered = needs.map((_, i) => into(i));
          return needs.map((needed, i) => {
            const slot = into(i);
            if (slot === undefined) return needed ? gradY : undefined;
            nativeOp("accumulate", { y: slot, x: gradY });
            return undefined;
          });
        },
      ]);
      const [a, tied, fixed] = [leaf(1, 2), leaf(1, 2), leaf(1, 2)];
      fixed.requiresGrad = false;
      backward(sum(op(a, mul(a, 3), fixed)));
      expect(offered).toEqual([a.grad, undefined, undefined]);
      expect(gradient(a)).toEqual([4, 4]);
      backward(sum(op(tied, tied, a)));
      expect(offered).toEqual([undefined, undefined, a.grad]);
      expect([gradient(tied), gradient(a)]).toEqual([
        [2, 2],
        [5, 5],
      ]);
      const narrow = Tensor.fromArray([1, 2], [2], "bf16"); // its gradient is rounded when it is complete
      narrow.requiresGrad = true;
      const widen = defineOp("widen", (_save, x: Tensor) => [
        cast(x, "f64"),
        (gradY, _needs, into) => {
          offered = [into(0)];
          return [gradY];
        },
      ]);
      backward(sum(widen(narrow)));
      expect(offered).toEqual([undefined]);
      expect(narrow.grad?.dtype).toBe("bf16");
    }));

  it("makes a result again, in place of keeping it, for every op that needs it", () => {
    let made = 0;
    const count = 10_000;
    const doubled = defineOp("doubled", (save, x: Tensor) => {
      const saved = save({ x });
      return [
        mul(x, 2),
        (gradY) => [mul(gradY, 2)],
        () => {
          made++;
          return mul(saved().x, 2);
        },
      ];
    });
    using x = leaf(...new Array<number>(count).fill(0.5));
    leavesNothing(() => {
      const { live } = memory();
      const loss = scope(() => {
        const y = doubled(doubled(x)); // 4 x: neither is kept
        return keep(sum(add(square(y), checkpoint(square, y)))); // 32 x^2
      });
      expect(memory().live - live).toBeLessThan(count * 8);
      expect(made).toBe(0);
      backward(loss);
      expect(made).toBe(4); // twice each: one for each square
      expect(gradient(x)?.every((g) => g === 64 * 0.5)).toBe(true);
      x.grad?.dispose();
      x.grad = undefined;
    });
  });

  it("says that a graph can be walked once where a result would be made again", () =>
    leavesNothing(() => {
      const x = leaf(1, 2);
      const norm = layerNorm(x, leaf(1, 1), leaf(0, 0));
      const [first, second] = [sum(square(norm)), sum(square(norm))];
      backward(first);
      expect(() => backward(second)).toThrow(/what layerNorm saved.*a graph can be walked once/);
    }));

  it("may return its input: the result is a tensor of its own", () =>
    leavesNothing(() => {
      const identity = defineOp("identity", (_save, x: Tensor) => [x, (gradY) => [mul(gradY, 7)]]);
      const x = leaf(1, 2);
      const y = identity(x);
      expect(y).not.toBe(x);
      expect(x.history).toBeUndefined();
      backward(sum(y));
      expect(gradient(x)).toEqual([7, 7]);
    }));

  it("saves nothing when nothing requires a gradient", () =>
    leavesNothing(() => {
      const x = Tensor.zeros([1000]);
      const { live } = memory();
      swish(x).dispose();
      expect(memory().live).toBe(live);
    }));

  it("passes gradients through views", () =>
    leavesNothing(() => {
      const x = leaf(1, 2, 3, 4);
      backward(sum(square(reshape(reshape(x, [2, 2]), [4]))));
      expect(gradient(x)).toEqual([2, 4, 6, 8]);
    }));
});
