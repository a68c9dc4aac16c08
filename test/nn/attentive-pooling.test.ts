// Attentive pooling by its formula, head by head, and its gradients by differences.
import { describe, expect, it } from "vitest";
import { backward } from "#lib/autograd/backward.js";
import { AttentivePooling } from "#lib/nn/attentive-pooling.js";
import { gelu, square, sum } from "#lib/ops/index.js";
import { RandomStream } from "#lib/random.js";
import { scope } from "#lib/tensor/scope.js";
import { Tensor } from "#lib/tensor/tensor.js";
import { checkGradient } from "../ops/check-gradient.js";

const [clips, tokens, width, heads, hidden] = [2, 5, 6, 3, 8];
const lanes = width / heads;

function drawn(name: string, size: number): Float64Array {
  const random = new RandomStream(3, name);
  return Float64Array.from({ length: size }, () => random.normal());
}

function pooling(): AttentivePooling {
  const module = new AttentivePooling(width, heads, hidden).materialize({ dtype: "f64" });
  for (const [name, { value }] of module.namedParameters()) value.write(drawn(name, value.size));
  return module;
}

const x = drawn("x", clips * tokens * width);
const input = (data = x) => Tensor.fromArray(data, [clips, tokens, width]);

describe("AttentivePooling", () => {
  it("is attention of one query to all tokens, and an MLP", () => {
    scope(() => {
      using module = pooling();
      const parameters = new Map(
        module.namedParameters().map(([name, { value }]) => [name, value.readSync() as Float64Array]),
      );
      const linear = (name: string, of: ArrayLike<number>) => {
        const [weight, bias] = ["weight", "bias"].map((part) => parameters.get(`${name}.${part}`)!);
        const dot = (row: number) => Array.from(of).reduce((s, v, i) => s + v * weight[row * of.length + i], 0);
        return Array.from(bias, (b, row) => b + dot(row));
      };
      const normed = (name: string, of: ArrayLike<number>) => {
        const mean = Array.from(of).reduce((s, v) => s + v, 0) / of.length;
        const variance = Array.from(of).reduce((s, v) => s + (v - mean) ** 2, 0) / of.length;
        const [weight, bias] = ["weight", "bias"].map((part) => parameters.get(`${name}.${part}`)!);
        return Array.from(of, (v, i) => ((v - mean) / Math.sqrt(variance + 1e-6)) * weight[i] + bias[i]);
      };
      const query = parameters.get("query")!;
      const got = module.forward(input()).readSync();
      for (let b = 0; b < clips; b++) {
        const rows = Array.from({ length: tokens }, (_, n) =>
          x.subarray((b * tokens + n) * width, (b * tokens + n + 1) * width),
        );
        const kv = rows.map((row) => linear("kv", normed("norm1", row)));
        const q = linear("q", query);
        const pooled = Array.from(query);
        for (let h = 0; h < heads; h++) {
          const lane = Array.from({ length: lanes }, (_, j) => h * lanes + j);
          const scores = kv.map((row) => Math.exp(lane.reduce((s, j) => s + q[j] * row[j], 0) / Math.sqrt(lanes)));
          const total = scores.reduce((s, v) => s + v, 0);
          for (const j of lane) pooled[j] += kv.reduce((s, row, n) => s + (scores[n] / total) * row[width + j], 0);
        }
        const middle = Float64Array.from(linear("mlp.fc1", normed("norm2", pooled)));
        const mlp = linear("mlp.fc2", gelu(Tensor.fromArray(middle, [hidden])).readSync() as Float64Array);
        for (let i = 0; i < width; i++) expect(got[b * width + i]).toBeCloseTo(pooled[i] + mlp[i], 10);
      }
    });
  });

  it("has the right gradient of its tokens", () => {
    using module = pooling();
    checkGradient((features) => module.forward(features), [{ shape: [clips, tokens, width] }]);
  });

  it("has the right gradients of its parameters", () => {
    using module = pooling();
    const loss = () => sum(square(module.forward(input())));
    scope(() => backward(loss()));
    for (const [name, { value }] of module.namedParameters()) {
      const at = value.readSync() as Float64Array;
      const moved = (i: number, by: number) => {
        value.write(at.map((v, j) => (i === j ? v + by : v)));
        return scope(() => loss().readSync()[0]);
      };
      for (const i of [0, at.length - 1]) {
        const numeric = (moved(i, 1e-5) - moved(i, -1e-5)) / 2e-5;
        value.write(at);
        const got = value.grad!.readSync()[i];
        expect(Math.abs(got - numeric), `${name}[${i}]`).toBeLessThan(1e-6 * Math.max(1, Math.abs(numeric)));
      }
    }
  });
});
