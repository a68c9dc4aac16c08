// Top-1, top-5 and confusion; a classifier on a labelled test set.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { beforeAll, describe, expect, it } from "vitest";
import { readLabelledSources } from "#lib/data/labelled-sources.js";
import { openPredictor } from "#lib/eval/predictor.js";
import { testClassifier } from "#lib/eval/test-classifier.js";
import { writeSafetensors } from "#lib/io/safetensors.js";
import { Accuracy } from "#lib/models/accuracy.js";
import { classifierModel } from "#lib/models/classifier.js";
import { haveShared, loadFixture } from "../fixtures.js";
import { temporaryFolder } from "../temporary-folder.js";

describe("Accuracy", () => {
  it("counts top-1, top-5, classes and confusions", () => {
    const accuracy = new Accuracy(7);
    expect(accuracy.add([0.1, 0.7, 0, 0, 0, 0, 0.2], 1)).toBe(1);
    expect(accuracy.add([6, 5, 4, 3, 2, 1, 0], 4)).toBe(0); // fifth
    expect(accuracy.add([6, 5, 4, 3, 2, 1, 0], 5)).toBe(0); // sixth
    expect([accuracy.clips, accuracy.top1, accuracy.top5]).toEqual([3, 1 / 3, 2 / 3]);
    expect(accuracy.perClass()[4]).toEqual({ clips: 1, correct: 0 });
    expect(accuracy.classMean).toBeCloseTo(1 / 3);
    expect(accuracy.confusion[4 * 7]).toBe(1);
    expect(accuracy.confusion.reduce((sum, count) => sum + count, 0)).toBe(3);
  });

  it("gives equal scores to the first class", () => {
    const accuracy = new Accuracy(6);
    accuracy.add([1, 1, 1, 1, 1, 1], 0);
    accuracy.add([1, 1, 1, 1, 1, 1], 5);
    expect([accuracy.top1, accuracy.top5]).toEqual([0.5, 0.5]);
  });

  it.skipIf(!haveShared)("agrees with the published merge of views", () => {
    const { json, tensors } = loadFixture("multi_view_merge");
    const [clips, views, classes] = tensors.get("logits")!.shape;
    const logits = tensors.get("logits")!.data as Float32Array;
    const targets = Array.from(tensors.get("target")!.data as unknown as ArrayLike<number | bigint>, Number);
    const accuracy = new Accuracy(classes);
    const predicted = Array.from({ length: clips }, (_, i) => {
      const mean = new Float64Array(classes);
      for (let view = 0; view < views; view++) {
        const at = (i * views + view) * classes;
        const scores = logits.subarray(at, at + classes);
        const exponentials = Float64Array.from(scores, (score) => Math.exp(score - Math.max(...scores)));
        const total = exponentials.reduce((sum, value) => sum + value, 0);
        for (let k = 0; k < classes; k++) mean[k] += exponentials[k] / total / views;
      }
      return accuracy.add(mean, targets[i]);
    });
    expect(predicted).toEqual(json.pred_prob);
    expect(100 * accuracy.top1).toBeCloseTo(json.result.prob.top1, 9);
    expect(100 * accuracy.top5).toBeCloseTo(json.result.prob.top5, 9);
  });
});

describe("testClassifier", () => {
  const folder = temporaryFolder();
  const weights = join(folder, "model.safetensors");
  const predictor = { config: { image: 32, frames: 4 } };

  beforeAll(async () => {
    using model = classifierModel("vit-tiny", { classes: 3, seed: 4, headInitScale: 40, image: 32, frames: 4 });
    const tensors = model.namedParameters().map(([name, { shape, value }]) => ({
      ...{ name, dtype: "F32" as const, shape },
      data: value.readSync() as Float32Array,
    }));
    writeSafetensors(weights, tensors);
    for (const [i, name] of ["a", "b", "c"].entries()) {
      mkdirSync(join(folder, name));
      for (let t = 1; t <= 5; t++) {
        const picture = sharp({
          create: { width: 40, height: 36, channels: 3, background: { r: 80 * i, g: 9 * t, b: 0 } },
        });
        await picture.jpeg().toFile(join(folder, name, `img_0000${t}.jpg`));
      }
    }
    mkdirSync(join(folder, "torn"));
    for (let t = 1; t <= 5; t++) writeFileSync(join(folder, "torn", `img_0000${t}.jpg`), "no picture");
  });

  const list = (lines: string) => {
    const path = join(folder, "list.csv");
    writeFileSync(path, lines);
    return readLabelledSources(path, { allowEmptyClasses: true });
  };

  it("counts every clip that can be read, once, and names the others", async () => {
    const { sources } = list("a 1 5 0\nb 1 5 1\ntorn 1 5 1\nc 1 5 2\n");
    await using opened = await openPredictor(weights, predictor);
    const steps: number[] = [];
    const result = await testClassifier(opened, sources, { stride: 1, onClip: (done) => steps.push(done) });
    expect(result.accuracy.clips).toBe(3);
    expect(result.failed).toHaveLength(1);
    expect(result.failed[0].where).toMatch(/list\.csv:3$/);
    expect(steps).toEqual([1, 2, 3, 4]);
    for (const [i, { label, predicted, probability }] of result.clips.entries()) {
      const { probabilities } = await opened.predict(sources[[0, 1, 3][i]], { stride: 1 });
      expect(probability).toBe(Math.max(...probabilities));
      expect(probabilities[predicted]).toBe(probability);
      expect(label).toBe(i);
    }
  });

  it("averages views", async () => {
    const { sources } = list("a 1 5 0\n");
    await using opened = await openPredictor(weights, predictor);
    const views = { segments: 2, crops: 3, stride: 1 };
    const { clips } = await testClassifier(opened, sources, views);
    const { probabilities } = await opened.predict(sources[0], views);
    expect(clips[0].labelProbability).toBe(probabilities[0]);
  });

  it("refuses classes that the model does not have", async () => {
    const { sources } = list("a 1 5 3\n");
    await using opened = await openPredictor(weights, predictor);
    await expect(testClassifier(opened, sources)).rejects.toThrow(
      /classes from 0 to 2, as the model has; got class 3 in .*list\.csv:1/,
    );
    await expect(testClassifier(opened, sources, { views: 3 } as never)).rejects.toThrow(/testClassifier/);
  });
});
