// Models written by the transformers library, current names and those of published checkpoints: the outputs agree.
// `VIDEOMAE_PYTHON` names an interpreter that has transformers; without it the test is skipped.
import { rmSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { noGrad } from "#lib/autograd/grad-mode.js";
import { openSafetensors } from "#lib/io/safetensors.js";
import { scope } from "#lib/tensor/scope.js";
import { Tensor } from "#lib/tensor/tensor.js";
import { layouts, storedNames } from "#lib/weights/layouts.js";
import { openClassifier, openPretrain } from "#lib/weights/open-model.js";
import { relativeError } from "../compare.js";
import { havePython, python } from "../io/python.js";
import { keptTokens } from "../models/fixture-model.js";
import { temporaryFolder } from "../temporary-folder.js";

describe.skipIf(!havePython("torch", "safetensors", "transformers"))("weights written by transformers", () => {
  const folder = temporaryFolder();
  const errors: string[] = [];
  beforeAll(() => {
    const script = join(import.meta.dirname, "transformers-models.py");
    python("import runpy, sys; runpy.run_path(sys.argv[1], run_name='__main__')", script, folder);
    return () => console.log(`relative errors against transformers: ${errors.join(", ")}`);
  });

  const read = (file: string) => {
    using opened = openSafetensors(file);
    return new Map(
      opened.names.map((name) => [name, { shape: opened.entry(name).shape, data: opened.read(name) as Float32Array }]),
    );
  };
  const input = (name: string) => {
    const { shape, data } = read(join(folder, name, "input.safetensors")).get("pixel_values")!;
    return Tensor.fromArray(data, shape);
  };
  const compare = (title: string, got: Tensor, want: Float32Array) => {
    const error = relativeError(got.readSync(), want);
    errors.push(`${title} ${error.toExponential(1)}`);
    expect(error).toBeLessThanOrEqual(1e-5);
  };

  const names = ["", "-published"];

  describe.each(names)("names%s", (suffix) => {
    it.each(["classification", "classification-first-token", "classification-no-bias"])("%s", async (name) => {
      await scope(async () => {
        const { model, report, labels } = await openClassifier(join(folder, name + suffix));
        using _model = model;
        expect(report.layout).toBe("hugging-face-classifier");
        expect([report.missing, report.mismatched, report.unused, report.unknown, report.warnings].flat()).toEqual([]);
        const stored = [...read(join(folder, name + suffix, "model.safetensors")).keys()];
        expect([...report.inert.keys()]).toEqual(stored.filter((tensor) => tensor.endsWith("key.bias")));
        expect(labels).toEqual(Array.from({ length: 7 }, (_, i) => `LABEL_${i}`));
        const want = read(join(folder, name, "output.safetensors")).get("logits")!.data;
        compare(
          name + suffix,
          noGrad(() => model.forward(input(name))),
          want,
        );
      });
    });

    it.each(["model", "model-without-norm"])("%s", async (name) => {
      await scope(async () => {
        const { model, report } = await openClassifier(join(folder, name + suffix));
        using _model = model;
        expect(report.layout).toBe("hugging-face-model");
        expect(model.config).toMatchObject({ classes: 0, norm: name === "model" ? "tokens" : "none" });
        const want = read(join(folder, name, "output.safetensors")).get("tokens")!.data;
        compare(
          name + suffix,
          noGrad(() => model.tokens(input(name))),
          want,
        );
      });
    });

    it("pretraining", async () => {
      await scope(async () => {
        const { model, report } = await openPretrain(join(folder, `pretraining${suffix}`));
        using _model = model;
        expect(report.layout).toBe("hugging-face-pretrain");
        const mask = read(join(folder, "pretraining", "input.safetensors")).get("mask")!.data;
        const visible = keptTokens(mask, 2);
        const decoded = keptTokens(
          mask.map((bit) => 1 - bit),
          2,
        );
        const output = read(join(folder, "pretraining", "output.safetensors"));
        noGrad(() => {
          const video = input("pretraining");
          compare(`pretraining${suffix}`, model.forward(video, { visible, decoded }), output.get("logits")!.data);
          const loss = model.loss(video, { visible, decoded }).readSync()[0];
          expect(Math.abs(loss - output.get("loss")!.data[0])).toBeLessThanOrEqual(1e-5);
        });
      });
    });
  });

  it.each(["classification", "classification-first-token", "pretraining", "model"])(
    "written back by the tables, %s is the published file again",
    async (name) => {
      const path = join(folder, `${name}-published`);
      const open = name === "pretraining" ? openPretrain : openClassifier;
      const { model, report } = await open(path);
      using _model = model;
      const written = new Map<string, Float32Array>();
      for (const [parameter, { value }] of model.namedParameters()) {
        const parts = storedNames(layouts[report.layout], parameter.replace(/^encoder\./, ""))!;
        const values = value.readSync() as Float32Array;
        const size = values.length / parts.length;
        for (const [i, part] of parts.entries()) written.set(part, values.slice(i * size, (i + 1) * size));
      }
      const published = read(join(path, "model.safetensors"));
      expect([...written.keys()].sort()).toEqual([...published.keys()].sort());
      for (const [part, { data }] of published) expect(written.get(part), part).toEqual(data);
    },
  );

  it("a pre-training model gives its encoder as a feature extractor", async () => {
    const { model, report } = await openClassifier(join(folder, "pretraining"));
    using _model = model;
    expect(model.config).toMatchObject({ classes: 0, pooling: "mean", norm: "tokens" });
    expect(report.unused).toContain("decoder.head.weight");
  });

  it("without config.json the shapes tell all but the input", async () => {
    const path = join(folder, "classification-published");
    rmSync(join(path, "config.json"));
    await scope(async () => {
      const { model } = await openClassifier(path, { config: { image: 32, frames: 4 } });
      using _model = model;
      const want = read(join(folder, "classification", "output.safetensors")).get("logits")!.data;
      compare(
        "classification without config.json",
        noGrad(() => model.forward(input("classification"))),
        want,
      );
    });
  });
});
