// A classifier begins with an encoder, and with rows of a head found by class.
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { writeSafetensors } from "#lib/io/safetensors.js";
import { type ClassifierModel, classifierModel } from "#lib/models/classifier.js";
import { type PretrainModel, pretrainModel } from "#lib/models/pretrain.js";
import { initializeClassifier } from "#lib/weights/initialize-classifier.js";
import { haveShared, loadFixture, sharedFolder } from "../fixtures.js";
import { temporaryFolder } from "../temporary-folder.js";

const folder = temporaryFolder();
const shape = { width: 48, heads: 3, depth: 2, image: 16, frames: 4, patch: 8 } as const;

function save(model: ClassifierModel | PretrainModel, name: string): string {
  const path = join(folder, `${name}.safetensors`);
  const tensors = model.namedParameters().map(([key, { shape, value }]) => ({
    ...{ name: key, dtype: "F32" as const, shape },
    data: value.readSync() as Float32Array,
  }));
  writeSafetensors(path, tensors);
  return path;
}

const classifier = (classes: number, seed: number, more: object = {}) =>
  classifierModel({ ...shape, classes, headInitScale: 1, ...more }, { seed });
const values = (model: ClassifierModel, name: string) =>
  new Map(model.namedParameters()).get(name)!.value.readSync() as Float32Array;
const row = (model: ClassifierModel, i: number) => [...values(model, "head.weight").subarray(i * 48, (i + 1) * 48)];

describe("from a classifier", () => {
  using other = classifier(3, 1);
  const path = save(other, "three");
  const storedClasses = ["wave", "row", "golf"];

  it("keeps a head of as many classes, when nothing says that they are others", async () => {
    using model = classifier(3, 2);
    const { head } = await initializeClassifier(model, path);
    expect(head).toEqual({ kind: "kept", fresh: [] });
    using same = classifier(3, 1);
    for (const name of ["head.weight", "blocks.1.mlp.fc2.weight", "fc_norm.bias"]) {
      expect(values(model, name)).toEqual(values(same, name));
    }
  });

  it("finds rows by name, and lets other classes begin anew", async () => {
    using model = classifier(4, 2);
    using fresh = classifier(4, 2);
    using source = classifier(3, 1);
    const classes = ["golf", "dive", "wave", "row"];
    const { head, report } = await initializeClassifier(model, path, { classes, storedClasses });
    expect(head).toEqual({ kind: "mapped", fresh: [1] });
    expect([0, 2, 3].map((i) => row(model, i))).toEqual([2, 0, 1].map((i) => row(source, i)));
    expect(row(model, 1)).toEqual(row(fresh, 1));
    expect(report.loaded).toContain("blocks.0.attn.qkv.weight");
  });

  it("maps as many classes of another order, or leaves them all", async () => {
    using model = classifier(3, 2);
    using source = classifier(3, 1);
    const swapped = { classes: ["row", "wave", "golf"], storedClasses };
    expect((await initializeClassifier(model, path, swapped)).head.kind).toBe("mapped");
    expect(row(model, 0)).toEqual(row(source, 1));
    using fresh = classifier(3, 2);
    using third = classifier(3, 2);
    const others = { classes: ["a", "b", "c"], storedClasses };
    const { head, report } = await initializeClassifier(third, path, others);
    expect(head).toEqual({ kind: "new", fresh: [] });
    expect(values(third, "head.weight")).toEqual(values(fresh, "head.weight"));
    expect(report.loaded).not.toContain("head.weight");
  });

  it("takes a label map", async () => {
    using model = classifier(2, 2);
    using source = classifier(3, 1);
    const { head } = await initializeClassifier(model, path, { labelMap: [2, 0] });
    expect(head).toEqual({ kind: "mapped", fresh: [] });
    expect([row(model, 0), row(model, 1)]).toEqual([row(source, 2), row(source, 0)]);
  });

  it("begins anew with another number of classes", async () => {
    using model = classifier(5, 2);
    using fresh = classifier(5, 2);
    expect((await initializeClassifier(model, path)).head.kind).toBe("new");
    expect(values(model, "head.weight")).toEqual(values(fresh, "head.weight"));
  });

  it("refuses maps and names that are not of these heads", async () => {
    using model = classifier(2, 2);
    const start = (options: object) => initializeClassifier(model, path, options);
    await expect(start({ labelMap: [0] })).rejects.toThrow(/a label map of 2 classes, as many as the model has; got 1/);
    await expect(start({ labelMap: [0, 3] })).rejects.toThrow(/rows from 0 to 2 in the label map; got 3 for class 1/);
    await expect(start({ classes: ["a", "a"] })).rejects.toThrow(/class 1 of the model: .*got "a", which is class 0/);
    await expect(start({ storedClasses: ["a"] })).rejects.toThrow(/3 names, as many as the classes of the stored head/);
    await expect(start({ classNames: [] })).rejects.toThrow(/"classNames"/);
    using wide = classifier(3, 2, { width: 96 });
    await expect(initializeClassifier(wide, path)).rejects.toThrow(/load weights|the whole encoder/);
    using deep = classifier(3, 2, { depth: 3 });
    await expect(initializeClassifier(deep, path)).rejects.toThrow(/of 30 parameters: blocks\.2|the whole encoder/);
  });
});

describe("from pre-training", () => {
  it("takes the encoder; head and norm begin anew", async () => {
    const decoder = { decoderWidth: 24, decoderHeads: 3, decoderDepth: 1 };
    using source = pretrainModel({ ...shape, ...decoder }, { seed: 5 });
    const path = save(source, "pretrained");
    using model = classifier(3, 2);
    using fresh = classifier(3, 2);
    const { head, report } = await initializeClassifier(model, path);
    expect(head.kind).toBe("new");
    expect([...report.missing].sort()).toEqual(["fc_norm.bias", "fc_norm.weight", "head.bias", "head.weight"]);
    const stored = new Map(source.namedParameters());
    for (const name of ["patch_embed.proj.weight", "blocks.1.norm2.bias"]) {
      expect(values(model, name)).toEqual(stored.get(`encoder.${name}`)!.value.readSync());
    }
    expect(values(model, "head.weight")).toEqual(values(fresh, "head.weight"));
    await expect(initializeClassifier(model, path, { labelMap: [0, 1, 2] })).rejects.toThrow(/weights with a head/);
  });

  it.skipIf(!haveShared)("reads a published pre-training checkpoint", async () => {
    const { img: image, dim: width, depth, heads, frames, patch } = loadFixture("checkpoint_official").json.config;
    using model = classifierModel({ width, depth, heads, image, frames, patch, classes: 2 });
    const path = join(sharedFolder, "fixtures/checkpoint_official.pth");
    expect((await initializeClassifier(model, path)).head.kind).toBe("new");
  });
});
