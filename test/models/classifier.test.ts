// The classifier against the reference: features, class scores, losses, and gradients.
import { describe, expect, it, test } from "vitest";
import { backward } from "#lib/autograd/backward.js";
import { noGrad } from "#lib/autograd/grad-mode.js";
import { classifierModel } from "#lib/models/classifier.js";
import { classifierShapes, resolveClassifierConfig } from "#lib/models/classifier-config.js";
import { mul } from "#lib/ops/binary.js";
import { crossEntropy } from "#lib/ops/cross-entropy.js";
import { logSoftmax } from "#lib/ops/softmax.js";
import { sum } from "#lib/ops/sum.js";
import { memory } from "#lib/tensor/memory.js";
import { scope } from "#lib/tensor/scope.js";
import { Tensor } from "#lib/tensor/tensor.js";
import { largestDifference, norm, numbersOf, relativeError } from "../compare.js";
import { formulaVideo, haveShared, loadFixture } from "../fixtures.js";
import { fillGolden, goldenVideo } from "../golden.js";
import { classifierLossTolerances, tolerances } from "../tolerances.js";
import { fixtureClassifier } from "./fixture-classifier.js";

describe.skipIf(!haveShared).each(["finetune_p16", "finetune_p16_first_token"])("%s", (name) => {
  const { json, tensors } = loadFixture(name);
  const reference = (key: string) => tensors.get(key)!.data as Float32Array;
  const shape = tensors.get("input.video")!.shape;
  const target = () =>
    Tensor.fromArray(Int32Array.from(tensors.get("input.target")!.data as BigInt64Array, Number), [shape[0]]);

  it.each(["f32", "bf16"] as const)("gives the reference's features and class scores in %s", (dtype) => {
    const allowed = tolerances[dtype].outputs;
    scope(() => {
      using model = fixtureClassifier(json.config, dtype);
      const video = Tensor.fromArray(reference("input.video"), shape);
      const features = model.features(video);
      expect(features.shape).toEqual(tensors.get("features")!.shape);
      expect(relativeError(numbersOf(features), reference("features"))).toBeLessThanOrEqual(allowed);
      expect(relativeError(numbersOf(model.forward(video)), reference("logits"))).toBeLessThanOrEqual(allowed);
    });
  });

  const mixed = ["mixup", "cutmix"].filter((kind) => tensors.has(`${kind}.video`));
  const losses = ["cross_entropy", "label_smoothing", ...mixed];
  const kinds = (["f32", "bf16"] as const).flatMap((dtype) => losses.map((kind) => [kind, dtype] as const));
  it.each(kinds)("has the reference's loss and gradients: %s in %s", (kind, dtype) => {
    const allowed = tolerances[dtype];
    const before = memory().tensors;
    scope(() => {
      using model = fixtureClassifier(json.config, dtype);
      const video = Tensor.fromArray(reference(mixed.includes(kind) ? `${kind}.video` : "input.video"), shape);
      const logits = model.forward(video);
      const loss = mixed.includes(kind)
        ? softLoss(logits, Tensor.fromArray(reference(`${kind}.soft_target`), logits.shape))
        : crossEntropy(logits, target(), { smoothing: kind === "label_smoothing" ? 0.1 : 0 });
      expect(Math.abs(loss.readSync()[0] - reference(`${kind}.loss`)[0])).toBeLessThanOrEqual(
        classifierLossTolerances[dtype],
      );
      backward(loss);
      const stored = model.namedParameters().filter(([key]) => tensors.has(`${kind}.grad.${key}`));
      expect(stored.length).toBeGreaterThanOrEqual(4);
      const total = norm(stored.flatMap(([key]) => Array.from(reference(`${kind}.grad.${key}`))));
      for (const [key, { value }] of stored) {
        const want = reference(`${kind}.grad.${key}`);
        if (norm(want) <= 1e-6 * total) continue;
        expect(relativeError(value.grad!.readSync(), want), key).toBeLessThanOrEqual(allowed.gradient);
      }
    });
    expect(memory().tensors).toBe(before);
  });
});

/** The mean over rows of -sum_k y_k log(softmax(logits)_k). */
function softLoss(logits: Tensor, target: Tensor): Tensor {
  return mul(sum(mul(logSoftmax(logits), target)), -1 / logits.shape[0]);
}

describe.skipIf(!haveShared)("ViT-S at 16 x 224 x 224", () => {
  it.each(["f32", "bf16"] as const)("matches the reference in %s", (dtype) => {
    const { json, tensors } = loadFixture("finetune_vits_summary");
    scope(() => {
      using model = fixtureClassifier(json.config, dtype);
      const shape = [1, 3, 16, 224, 224];
      const video = Tensor.fromArray(formulaVideo(json.config.seed, shape), shape);
      noGrad(() => {
        const features = model.features(video);
        const logits = model.head!.forward(features);
        for (const [key, got] of Object.entries({ features, logits }))
          expect(relativeError(numbersOf(got), tensors.get(key)!.data as Float32Array)).toBeLessThanOrEqual(
            tolerances[dtype].outputs,
          );
      });
    });
  });
});

test("the golden values of spec 13, in f64", () => {
  scope(() => {
    using model = classifierModel("vit-tiny", { classes: 5, dtype: "f64" });
    fillGolden(model);
    const video = Tensor.fromArray(goldenVideo(), [2, 3, 8, 32, 32]);
    const scores = [
      ...[-0.275826647, 0.936136449, -0.104423627, 0.207497579, 0.526275078],
      ...[-0.326165281, 0.918356083, -0.0499126818, 0.210299977, 0.743324959],
    ];
    const features = [-1.85238995, 0.681191953, 0.00150715502, -1.10527294];
    expect(largestDifference(model.forward(video).readSync(), scores)).toBeLessThanOrEqual(1e-7);
    expect(largestDifference(model.features(video).readSync().slice(0, 4), features)).toBeLessThanOrEqual(1e-7);
  });
});

/** Parameters of the model without a head, and with 400, 710 and 174 classes. */
test.each([
  ["S", 21_879_936, 22_033_936, 22_153_286, 21_946_926],
  ["B", 86_227_200, 86_534_800, 86_773_190, 86_361_006],
  ["L", 303_860_736, 304_270_736, 304_588_486, 304_039_086],
  ["H", 631_607_040, 632_119_440, 632_516_550, 631_829_934],
  ["g", 1_011_610_752, 1_012_174_352, 1_012_611_142, 1_011_855_918],
])("parameters of %s", (size, ...counts) => {
  const count = (classes: number) =>
    classifierShapes(resolveClassifierConfig(size, { classes })).reduce(
      (total, [, shape]) => total + shape.reduce((product, side) => product * side, 1),
      0,
    );
  expect([0, 400, 710, 174].map(count)).toEqual(counts);
});

describe.skipIf(!haveShared)("names, shapes and order", () => {
  const { shapes } = haveShared ? loadFixture("parameter_groups").json : { shapes: {} };
  test.each(["small", "base", "large", "huge", "giant"])("of %s", (size) => {
    const expected = Object.entries<number[]>(shapes[`finetune_${size}`]);
    const classes = expected.at(-1)![1][0];
    expect(classifierShapes(resolveClassifierConfig(size, { classes }))).toEqual(expected);
  });
});

describe("classifierModel", () => {
  it.each([
    { classes: 5 },
    { classes: 0 },
    { pooling: "first-token", norm: "tokens", layerScale: 0.1, cosineAttention: true },
    { norm: "none", qkvBias: false, classes: 0 },
  ] as const)("has the parameters its description names: %o", (fields) => {
    using model = classifierModel("vit-tiny", fields);
    expect(model.namedParameters().map(([name, { shape }]) => [name, shape])).toEqual(classifierShapes(model.config));
  });

  it("begins as published: narrow normal weights, a head a thousandth of that, unit norms", () => {
    using model = classifierModel("vit-tiny", { width: 192, heads: 3, classes: 50 });
    for (const [name, { value }] of model.namedParameters()) {
      const values = value.readSync();
      const root = norm(values) / Math.sqrt(values.length);
      if (name.startsWith("patch_embed.")) expect(root).toBeCloseTo(1 / Math.sqrt(3 * 3 * 2 * 64), 2);
      else if (name === "head.weight") expect(root).toBeCloseTo(2e-5, 6);
      else if (/norm\d?\.weight$/.test(name)) expect(root).toBe(1);
      else expect(root, name).toBeCloseTo(name.endsWith(".weight") ? 0.02 : 0, 3);
    }
  });

  it("drops before the head only in training", () => {
    scope(() => {
      using model = classifierModel("vit-tiny", { classes: 3, headDropout: 0.9, headInitScale: 1 });
      const video = Tensor.fromArray(new Uint8Array(8 * 32 * 32 * 3).fill(90), [1, 8, 32, 32, 3]);
      const trained = model.forward(video).readSync();
      const evaluated = model.train(false).forward(video).readSync();
      expect(model.forward(video).readSync()).toEqual(evaluated);
      expect(trained).not.toEqual(evaluated);
    });
  });

  it("says what is wrong with a name, an option, a size", () => {
    expect(() => classifierModel("vit-bse")).toThrow(/did you mean "vit-base"/);
    expect(() => classifierModel("vit-tiny", { clases: 3 } as object)).toThrow(/did you mean "classes"/);
    expect(() => classifierModel("vit-tiny", { classes: -1 })).toThrow(/classes: expected a number of classes/);
    expect(() => classifierModel("vit-tiny", { pooling: "max" as "mean" })).toThrow(/"mean" or "first-token"/);
    expect(() => classifierModel("vit-tiny", { norm: "both" as "none" })).toThrow(/norm: expected "pooled"/);
    expect(() => classifierModel("vit-tiny", { headDropout: 1 })).toThrow(/headDropout/);
    expect(() => classifierModel("vit-tiny", { image: 33 })).toThrow(/multiple of patch/);
    using model = classifierModel("vit-tiny", { classes: 0 });
    using video = Tensor.fromArray(new Uint8Array(8 * 32 * 32 * 3), [1, 8, 32, 32, 3]);
    expect(() => model.forward(video)).toThrow(/expected a model with a head/);
  });
});
