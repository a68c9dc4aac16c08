import { describe, expect, it } from "vitest";
import { backward } from "#lib/autograd/backward.js";
import { embedVisible } from "#lib/ops/embed-visible.js";
import { scope } from "#lib/tensor/scope.js";
import { Tensor } from "#lib/tensor/tensor.js";
import { haveShared, loadFixture } from "../fixtures.js";
import { checkGradient, expectClose } from "./check-gradient.js";

const index = (rows: number[][]) => Tensor.fromArray(Int32Array.from(rows.flat()), [rows.length, rows[0].length]);

describe("embedVisible", () => {
  it("has the gradient that differences give, also where a token is named twice", () => {
    const shapes = [{ shape: [2, 3, 2, 4, 4] }, { shape: [3, 3, 2, 2, 2] }, { shape: [3] }];
    checkGradient(
      (video, weight, bias) =>
        embedVisible(
          video,
          index([
            [0, 3, 3],
            [1, 2, 0],
          ]),
          weight,
          bias,
          Tensor.zeros([4, 3], "f64"),
        ),
      shapes,
    );
  });

  it.skipIf(!haveShared).each(["patch_embed_p16", "patch_embed_p14"])("matches the reference's %s", (name) => {
    const { tensors } = loadFixture("ops");
    const reference = (key: string) => tensors.get(`${name}.${key}`)!;
    scope(() => {
      const leaf = (key: string) => {
        const tensor = Tensor.fromArray(reference(key).data as Float32Array, reference(key).shape);
        tensor.requiresGrad = true;
        return tensor;
      };
      const [video, weight, bias] = [leaf("x"), leaf("weight"), leaf("bias")];
      const y = embedVisible(video, index([[0, 1, 2, 3]]), weight, bias, Tensor.zeros([4, 8]));
      expectClose(y, reference("out").data as Float32Array);
      backward(y, Tensor.fromArray(reference("grad_out").data as Float32Array, y.shape));
      expectClose(video.grad!, reference("grad_x").data as Float32Array);
      expectClose(weight.grad!, reference("grad_weight").data as Float32Array);
      expectClose(bias.grad!, reference("grad_bias").data as Float32Array);
    });
  });

  it("gives bytes what it gives the normalised pixels behind them", () => {
    scope(() => {
      const [mean, std] = [
        [0.485, 0.456, 0.406],
        [0.229, 0.224, 0.225],
      ];
      const bytes = Uint8Array.from({ length: 2 * 4 * 4 * 3 }, (_, i) => (i * 37) % 256); // (1, 2, 4, 4, 3)
      const normalised = new Float32Array(bytes.length); // (1, 3, 2, 4, 4)
      for (const [i, byte] of bytes.entries()) {
        const c = i % 3;
        normalised[c * 32 + (i - c) / 3] = (byte / 255 - mean[c]) / std[c];
      }
      const weight = Tensor.fromArray(
        Float32Array.from({ length: 5 * 24 }, (_, i) => Math.cos(i)),
        [5, 3, 2, 2, 2],
      );
      const shared = [index([[3, 1]]), weight, Tensor.zeros([5]), Tensor.zeros([4, 5])] as const;
      const fromBytes = embedVisible(Tensor.fromArray(bytes, [1, 2, 4, 4, 3]), ...shared);
      expectClose(fromBytes, embedVisible(Tensor.fromArray(normalised, [1, 3, 2, 4, 4]), ...shared).readSync(), 1e-6);
    });
  });

  it("says what does not fit", () => {
    scope(() => {
      const [weight, bias, position] = [Tensor.zeros([5, 3, 2, 2, 2]), Tensor.zeros([5]), Tensor.zeros([4, 5])];
      const video = Tensor.zeros([1, 2, 4, 4, 3], "u8");
      expect(() => embedVisible(video, index([[4]]), weight, bias, position)).toThrow(/values from 0 to 3; got 4/);
      expect(() => embedVisible(video, index([[0], [0]]), weight, bias, position)).toThrow(
        /visible of shape \[1, count\]/,
      );
      expect(() => embedVisible(Tensor.zeros([1, 2, 5, 4, 3], "u8"), index([[0]]), weight, bias, position)).toThrow(
        /sides by the patch of 2/,
      );
      expect(() => embedVisible(video, index([[0]]), weight, bias, Tensor.zeros([5, 5]))).toThrow(
        /position of shape \[4, 5\]/,
      );
    });
  });
});
