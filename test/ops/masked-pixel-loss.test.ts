import { describe, expect, it } from "vitest";
import { maskedPixelLoss, pixelTargets, tokenLosses } from "#lib/ops/masked-pixel-loss.js";
import { scope } from "#lib/tensor/scope.js";
import { Tensor } from "#lib/tensor/tensor.js";
import { checkGradient, numbers } from "./check-gradient.js";

const index = (rows: number[][]) => Tensor.fromArray(Int32Array.from(rows.flat()), [rows.length, rows[0].length]);
const pixels = Uint8Array.from(numbers(2 * 2 * 4 * 4 * 3, "pixels", 0, 256));

/** Two clips of 2 x 4 x 4 pixels, four tokens each; the first row of each clip is about a visible token. */
function targets(normalize: boolean) {
  const video = Tensor.fromArray(pixels, [2, 2, 4, 4, 3]);
  return {
    video,
    decoded: index([
      [0, 1, 3],
      [1, 2, 3],
    ]),
    visible: index([[0], [1]]),
    tubelet: 2,
    patch: 2,
    normalize,
  };
}

describe("maskedPixelLoss", () => {
  it.each([true, false])("has the gradient that differences give, normalised %s", (normalize) => {
    checkGradient((prediction) => maskedPixelLoss(prediction, targets(normalize)), [{ shape: [2, 3, 24] }]);
  });

  it("is the mean over hidden tokens of the squared error against the targets", () => {
    scope(() => {
      const prediction = Tensor.fromArray(Float64Array.from(numbers(2 * 3 * 24, "prediction")), [2, 3, 24]);
      for (const normalize of [true, false]) {
        const about = targets(normalize);
        const wanted = pixelTargets(about.video, about.decoded, {
          tubelet: 2,
          patch: 2,
          normalize,
          dtype: "f64",
        }).readSync();
        const got = prediction.readSync();
        const errors = [0, 1, 2, 3, 4, 5].map((row) => {
          let sum = 0;
          for (let i = row * 24; i < (row + 1) * 24; i++) sum += (got[i] - wanted[i]) ** 2;
          return sum / 24;
        });
        const hidden = [errors[1], errors[2], errors[4], errors[5]];
        expect(maskedPixelLoss(prediction, about).readSync()[0]).toBeCloseTo(hidden.reduce((a, b) => a + b) / 4, 12);
        const each = tokenLosses(prediction, about).readSync();
        for (const [row, error] of errors.entries()) expect(each[row]).toBeCloseTo(error, 12);
      }
    });
  });

  it("gives finite targets to a patch without contrast", () => {
    scope(() => {
      const video = Tensor.fromArray(new Uint8Array(2 * 4 * 4 * 3).fill(200), [1, 2, 4, 4, 3]);
      const y = pixelTargets(video, index([[0, 3]]), { tubelet: 2, patch: 2 }).readSync();
      expect(y.every((value) => Math.abs(value) < 1e-6)).toBe(true);
    });
  });

  it("is NaN when no token carries loss, and propagates NaN of a prediction", () => {
    scope(() => {
      const about = {
        ...targets(true),
        visible: index([
          [0, 1, 3],
          [1, 2, 3],
        ]),
      };
      expect(maskedPixelLoss(Tensor.zeros([2, 3, 24]), about).readSync()[0]).toBeNaN();
      const bad = new Float32Array(2 * 3 * 24);
      bad[30] = Number.NaN;
      expect(maskedPixelLoss(Tensor.fromArray(bad, [2, 3, 24]), targets(true)).readSync()[0]).toBeNaN();
    });
  });

  it("says what does not fit", () => {
    scope(() => {
      expect(() => maskedPixelLoss(Tensor.zeros([2, 3, 23]), targets(true))).toThrow(
        /prediction of shape \[2, 3, 24\]/,
      );
      expect(() => maskedPixelLoss(Tensor.zeros([2, 3, 24]), { ...targets(true), patch: 3 })).toThrow(/patch of 3/);
    });
  });
});
