// Losses against distributions: values by hand, gradients by differences, and the loss of classes as a special case.
import { describe, expect, it } from "vitest";
import { backward } from "#lib/autograd/backward.js";
import { crossEntropy, distillationLoss, softCrossEntropy } from "#lib/ops/index.js";
import { RandomStream } from "#lib/random.js";
import { scope } from "#lib/tensor/scope.js";
import { Tensor } from "#lib/tensor/tensor.js";

const [rows, classes] = [3, 5];
const numbers = (seed: number) => {
  const random = new RandomStream(seed, "test");
  return Float64Array.from({ length: rows * classes }, () => 3 * random.normal());
};
const matrix = (data: Float64Array) => Tensor.fromArray(data, [rows, classes]);

function logSoftmax(scores: readonly number[]): number[] {
  const total = Math.log(scores.reduce((sum, score) => sum + Math.exp(score), 0));
  return scores.map((score) => score - total);
}
const rowsOf = (data: Float64Array, scale = 1) =>
  Array.from({ length: rows }, (_, i) => [...data.subarray(i * classes, (i + 1) * classes)].map((x) => x * scale));

/** The gradient of a loss by central differences. */
function byDifferences(data: Float64Array, loss: (data: Float64Array) => number): number[] {
  return [...data].map((value, i) => {
    const moved = (by: number) => loss(Float64Array.from(data, (x, j) => (j === i ? value + by : x)));
    return (moved(1e-5) - moved(-1e-5)) / 2e-5;
  });
}

describe("softCrossEntropy", () => {
  it("is that of classes for sure labels, and for smoothed ones", () => {
    scope(() => {
      const logits = matrix(numbers(1));
      for (const smoothing of [0, 0.1]) {
        const target = Float64Array.from({ length: rows * classes }, (_, i) => {
          const sure = i % classes === [4, 0, 2][Math.floor(i / classes)];
          return smoothing / classes + (sure ? 1 - smoothing : 0);
        });
        const expected = crossEntropy(logits, Tensor.fromArray(Int32Array.of(4, 0, 2), [rows]), { smoothing });
        expect(softCrossEntropy(logits, matrix(target)).readSync()[0]).toBeCloseTo(expected.readSync()[0], 12);
      }
    });
  });

  it("has the right gradient, also of bf16 scores", () => {
    scope(() => {
      const data = numbers(2);
      const target = Float64Array.from({ length: rows * classes }, (_, i) => (i % classes) / 10);
      const loss = (x: Float64Array) => scope(() => softCrossEntropy(matrix(x), matrix(target)).readSync()[0]);
      const logits = matrix(data);
      logits.requiresGrad = true;
      backward(softCrossEntropy(logits, matrix(target)));
      for (const [i, expected] of byDifferences(data, loss).entries()) {
        expect(logits.grad!.readSync()[i]).toBeCloseTo(expected, 7);
      }
      const low = Tensor.zeros([rows, classes], "bf16");
      low.requiresGrad = true;
      const even = softCrossEntropy(
        low,
        Tensor.fromArray(new Float32Array(rows * classes).fill(1 / classes), [rows, classes]),
      );
      expect(even.readSync()[0]).toBeCloseTo(Math.log(classes), 6);
      backward(even);
      expect(low.grad!.dtype).toBe("bf16");
    });
  });

  it("refuses other shapes", () => {
    scope(() => {
      const logits = matrix(numbers(1));
      expect(() => softCrossEntropy(logits, Tensor.zeros([rows, 4], "f64"))).toThrow(
        /softCrossEntropy: expected target of shape \[3, 5\]; got f64\[3, 4\]/,
      );
      expect(() => softCrossEntropy(Tensor.zeros([5]), Tensor.zeros([5]))).toThrow(/logits of shape \[B, K\]/);
    });
  });
});

describe("distillationLoss", () => {
  const [student, teacher] = [numbers(3), numbers(4)];

  it.each([1, 3])("is the divergence of the softened distributions, temperature %d", (temperature) => {
    scope(() => {
      const [own, other] = [rowsOf(student, 1 / temperature), rowsOf(teacher, 1 / temperature)];
      const divergences = own.map((scores, i) => {
        const [p, q] = [logSoftmax(other[i]), logSoftmax(scores)];
        return p.reduce((sum, log, k) => sum + Math.exp(log) * (log - q[k]), 0);
      });
      const mean = divergences.reduce((sum, value) => sum + value, 0) / rows;
      const loss = (scaled: boolean) =>
        distillationLoss(matrix(student), matrix(teacher), { temperature, scaled }).readSync()[0];
      expect(loss(false)).toBeCloseTo(mean, 12);
      expect(loss(true)).toBeCloseTo(mean * temperature ** 2, 12);
    });
  });

  it("is 0 for a student of the same opinion, and its gradient is right", () => {
    scope(() => {
      expect(distillationLoss(matrix(teacher), matrix(teacher)).readSync()[0]).toBeCloseTo(0, 14);
      const options = { temperature: 2 };
      const loss = (x: Float64Array) =>
        scope(() => distillationLoss(matrix(x), matrix(teacher), options).readSync()[0]);
      const scores = matrix(student);
      scores.requiresGrad = true;
      backward(distillationLoss(scores, matrix(teacher), options));
      for (const [i, expected] of byDifferences(student, loss).entries()) {
        expect(scores.grad!.readSync()[i]).toBeCloseTo(expected, 7);
      }
    });
  });

  it("refuses other classes and temperatures", () => {
    scope(() => {
      const four = Tensor.zeros([rows, 4], "f64");
      expect(() => distillationLoss(matrix(student), four)).toThrow(/teacher of shape \[3, 5\]; got f64\[3, 4\]/);
      expect(() => distillationLoss(matrix(student), matrix(teacher), { temperature: 0 })).toThrow(
        /a temperature above 0; got 0/,
      );
    });
  });
});
