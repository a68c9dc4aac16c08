// Attention against the reference: the fused op alone, and the whole module.
import { describe, expect, it } from "vitest";
import { backward } from "#lib/autograd/backward.js";
import { Attention } from "#lib/nn/attention.js";
import { cat } from "#lib/ops/cat.js";
import { permute } from "#lib/ops/permute.js";
import { reshape } from "#lib/ops/reshape.js";
import { slice } from "#lib/ops/slice.js";
import { nativeOp } from "#lib/tensor/native-op.js";
import { scope } from "#lib/tensor/scope.js";
import { Tensor } from "#lib/tensor/tensor.js";
import { relativeError } from "../compare.js";
import { formulaParameter, formulaUnit, haveShared, loadFixture } from "../fixtures.js";

const cores = ["n37_d64_odd", "n160_d64", "n160_d80", "n160_d88", "n944_d64", "n944_d80", "n944_d88"];

describe.skipIf(!haveShared).each(cores)("attention_core_%s", (name) => {
  const { json, tensors } = loadFixture(`attention_core_${name}`);
  const [b, h, n, d]: number[] = json.shape;
  const input = (key: string) =>
    Tensor.fromArray(
      Float32Array.from(formulaUnit(json.seed, key, b * h * n * d), (u) => json.input_scale * u),
      json.shape,
    );
  /** (B, H, N, K) -> (B, N, H·K) and back. */
  const merge = (x: Tensor) => reshape(permute(x, [0, 2, 1, 3]), [b, n, h * d]);
  const split = (x: Tensor) => permute(reshape(x, [b, n, h, d]), [0, 2, 1, 3]);

  it("gives the output, the log-sum-exp and all gradients", () =>
    scope(() => {
      const qkv = cat(["q", "k", "v"].map(input).map(merge), 2); // (B, N, 3·H·K)
      const { y, lse } = nativeOp("attention", { qkv, heads: h });
      const { gradQkv } = nativeOp("attentionBackward", { qkv, y, lse, gradY: merge(input("grad_out")), heads: h });
      const part = (i: number) => split(slice(gradQkv, 2, i * h * d, h * d));
      const got = { out: split(y), lse, grad_q: part(0), grad_k: part(1), grad_v: part(2) };
      for (const [key, x] of Object.entries(got)) {
        const whole = tensors.get(key);
        const rows = tensors.get(`${key}.rows`);
        const values = x.readSync();
        if (whole !== undefined)
          expect(relativeError(values, whole.data as Float32Array), key).toBeLessThanOrEqual(1e-5);
        else expect(relativeError(picked(key, values), rows!.data as Float32Array), key).toBeLessThanOrEqual(1e-5);
      }
    }));

  /** The rows that the fixture stores of a large result; of the log-sum-exp all. */
  function picked(key: string, values: ArrayLike<number>): ArrayLike<number> {
    if (key === "lse") return values;
    const index = Array.from(tensors.get("row_index")!.data as ArrayLike<number | bigint>, Number);
    const result: number[] = [];
    for (let head = 0; head < b * h; head++) {
      for (const row of index) for (let i = 0; i < d; i++) result.push(values[(head * n + row) * d + i]);
    }
    return result;
  }
});

describe.skipIf(!haveShared).each(["d64", "d80", "d88", "cos_d64"])("attention_module_%s", (name) => {
  const { json, tensors } = loadFixture(`attention_module_${name}`);
  const width = json.heads * json.head_dim;
  const shape = [json.batch, json.tokens, width];
  const [forOutput, forGradients, forOne] = json.cos_attn ? [1e-4, 1e-3, 1e-3] : [1e-5, 1e-5, 1e-4];

  it("gives the output and every gradient", () => {
    using module = new Attention(width, json.heads, { qkvBias: true, cosine: json.cos_attn }).materialize();
    module.load(
      new Map(
        module.namedParameters().map(([key, p]) => {
          const stored = tensors.get(`param.${key}`);
          const data = stored ? (stored.data as Float32Array) : formulaParameter(json.seed, key, p.shape);
          return [key, { shape: p.shape, data }];
        }),
      ),
    );
    const given = (key: string) => Tensor.fromArray(tensors.get(key)!.data as Float32Array, shape);
    scope(() => {
      const x = given("input.x");
      x.requiresGrad = true;
      const y = module.forward(x);
      expect(relativeError(y.readSync(), tensors.get("output")!.data as Float32Array)).toBeLessThanOrEqual(forOutput);
      backward(y, given("input.grad_out"));
      const all: [string, Tensor | undefined][] = [
        ["x", x.grad],
        ...module.namedParameters().map(([key, p]): [string, Tensor | undefined] => [key, p.value.grad]),
      ];
      const [got, want]: number[][] = [[], []];
      for (const [key, gradient] of all) {
        const reference = tensors.get(`grad.${key}`)!.data as Float32Array;
        expect(relativeError(gradient!.readSync(), reference), key).toBeLessThanOrEqual(forOne);
        got.push(...gradient!.readSync());
        want.push(...reference);
      }
      expect(relativeError(got, want)).toBeLessThanOrEqual(forGradients);
    });
  });
});
