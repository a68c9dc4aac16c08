// Fine-tuning on real encoded clips: the same bits stopped and resumed, validation and the best checkpoint, heads that find
// their rows, and what is refused.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import type { FinetuneRunOptions } from "#lib/config/finetune-config.js";
import { readLabelledSources } from "#lib/data/labelled-sources.js";
import { openPredictor } from "#lib/eval/predictor.js";
import { testClassifier } from "#lib/eval/test-classifier.js";
import { openCheckpoint } from "#lib/io/checkpoint.js";
import { bestCheckpointPath } from "#lib/io/checkpoint-folder.js";
import { openWeights } from "#lib/io/weights.js";
import { readJsonl } from "#lib/log/jsonl.js";
import { memory } from "#lib/tensor/memory.js";
import { finetune, postPretrain } from "#lib/train/finetune.js";
import { pretrain } from "#lib/train/pretrain.js";
import { makeClips } from "../../examples/make-clips.js";
import { temporaryFolder } from "../temporary-folder.js";

const folder = temporaryFolder();
const at = (name: string) => path.join(folder, name);
const classNames = ["circle", "square", "triangle"];
let list: string;
let names: string;

beforeAll(async () => {
  const clips = await makeClips(at("clips"), { count: 9, frames: 20 });
  list = at("list.csv");
  names = at("classes.txt");
  writeFileSync(names, classNames.join("\n"));
  writeFileSync(list, clips.map(({ path: clip }, i) => `${clip} ${i % 3}`).join("\n"));
});

let runs = 0;
function options(changes: Partial<FinetuneRunOptions> = {}): FinetuneRunOptions {
  return {
    ...{ data: list, classes: names, out: at(`run-${runs++}`), model: "vit-tiny", width: 24, depth: 2, heads: 2 },
    ...{ stride: 1, batchSize: 2, views: 2, steps: 6, warmupSteps: 1, lr: 0.1, dropPath: 0.2, headDropout: 0.1 },
    ...{ logEvery: 1, saveEvery: 100, flip: 0 },
    ...changes,
  };
}

/** Everything a checkpoint holds, by name. */
function contents(file: string): Map<string, Float32Array> {
  using checkpoint = openCheckpoint(file);
  const all = new Map<string, Float32Array>();
  for (const part of ["model", "expAvg", "expAvgSq", "average"] as const) {
    for (const name of checkpoint.names(part)) all.set(`${part} ${name}`, checkpoint.read(part, name).data);
  }
  return all;
}

const events = (log: string, kind: string | undefined) => readJsonl(log).filter(({ event }) => event === kind);

const slow = { timeout: 400_000 };

describe("a run", slow, () => {
  it.each([
    { dtype: "f32", emaDecay: 0.9, accumulate: 2 },
    { dtype: "bf16", emaDecay: 0.9, accumulate: 2, recompute: true, layerDecay: 0.5 },
  ] as const)("gives the same numbers stopped and resumed, whatever the workers: %o", async (how) => {
    const measured = { validation: list, validateEpochs: 2 };
    const whole = await finetune(options({ workers: 0, ...measured, ...how }));
    expect(whole.done).toBe(6);
    const stopped = options({ workers: 2, ...measured, ...how });
    const stop = new AbortController();
    const first = await finetune(stopped, { signal: stop.signal, onStep: ({ step }) => step === 3 && stop.abort() });
    expect(first.done).toBe(3);
    const second = await finetune({ ...stopped, workers: 1 });
    expect(contents(second.checkpoint)).toEqual(contents(whole.checkpoint));
    const numbers = ({ log }: { log: string }) => [
      events(log, undefined).map(({ step, loss, gradientNorm }) => ({ step, loss, gradientNorm })),
      events(log, "validation"),
    ];
    expect(numbers(second)).toEqual(numbers(whole));
    const averages = [...contents(whole.checkpoint)].filter(([name]) => name.startsWith("average "));
    expect(averages.length).toBeGreaterThan(0);
    for (const [name, values] of averages) {
      const trained = contents(whole.checkpoint).get(name.replace("average ", "model "));
      if (name.endsWith("qkv.weight")) expect(values).not.toEqual(trained);
    }
  });

  it("frees every tensor", async () => {
    const before = memory().tensors;
    await finetune(options({ steps: 2, emaDecay: 0.9, validation: list }));
    expect(memory().tensors).toBe(before);
    expect(memory().leaked).toBe(0);
  });

  it("goes on with a validation that it was stopped in", async () => {
    const run = options({ steps: 4, validation: list, validateEpochs: 1, batchSize: 3, workers: 0 });
    const stop = new AbortController();
    const first = await finetune(run, {
      signal: stop.signal,
      onStep: ({ step }) => step === 3 && stop.abort(), // an epoch is 3 updates, so a validation is due
    });
    expect([first.done, events(first.log, "validation").length]).toEqual([3, 0]);
    const second = await finetune(run);
    expect(events(second.log, "validation").map(({ update }) => update)).toEqual([3, 4]);
  });
});

describe("validation", slow, () => {
  it("keeps the best checkpoint, and reports the last one, as the command accuracy has it", async () => {
    const steps: number[] = [];
    const errors: number[] = [];
    const { log, validation, checkpoint, classes } = await finetune(
      options({ steps: 12, batchSize: 3, keep: 1, validation: list, emaDecay: 0.5, mixup: 0, cutmix: 0 }),
      { onValidation: (step, { error }) => steps.push(step) && errors.push(error) },
    );
    expect(steps).toEqual([3, 6, 9, 12]);
    expect(classes).toEqual(classNames);
    const out = path.dirname(log);
    const report = JSON.parse(readFileSync(path.join(out, "validation.json"), "utf8"));
    expect(report).toMatchObject({ schema: "videomae.validation/1", step: 12, clips: 9, failed: 0 });
    expect(report.classes.map(({ name, clips }: { name: string; clips: number }) => [name, clips])).toEqual(
      classNames.map((name) => [name, 3]),
    );
    expect(report.confusion.flat().reduce((a: number, b: number) => a + b)).toBe(9);
    expect(existsSync(path.join(out, "confusion.png"))).toBe(true);
    using best = openCheckpoint(bestCheckpointPath(out));
    expect(best.state.step).toBe(steps[errors.indexOf(Math.min(...errors))]);
    expect(best.state.classes).toEqual(classNames);

    await using predictor = await openPredictor(checkpoint);
    expect(predictor.model.labels).toEqual(classNames);
    const { sources } = readLabelledSources(list);
    const tested = await testClassifier(predictor, sources); // sampled as the run did
    expect([...tested.accuracy.confusion]).toEqual([...validation!.accuracy.confusion]);
    using weights = await openWeights(checkpoint);
    expect(weights.container).toBe("average"); // what was measured is what is used
    using trained = await openWeights(checkpoint, { container: "model" });
    expect([...trained.names].sort()).toEqual([...weights.names].sort());
    await expect(openWeights(checkpoint, { container: "ema" })).rejects.toThrow(/expected container model or average/);
    expect(validation!.accuracy.clips).toBe(9);
  });

  it("counts a clip that cannot be read, and puts none in its place", async () => {
    const bad = at("bad.csv");
    writeFileSync(at("broken.mp4"), "no video");
    writeFileSync(bad, `${readFileSync(list, "utf8")}\n${at("broken.mp4")} 0`);
    const { log } = await finetune(options({ steps: 1, validation: bad, workers: 0 }));
    expect(events(log, "validation")).toMatchObject([{ update: 1, clips: 9, failed: 1 }]);
  });
});

describe("weights", slow, () => {
  it("come from pre-training, and from a head whose classes have names", async () => {
    const shape = { model: "vit-tiny", width: 24, depth: 2, heads: 2, decoderWidth: 12, decoderDepth: 1 };
    const pre = await pretrain({ ...shape, data: at("clips"), out: at("pre"), stride: 1, batchSize: 2, steps: 2 });
    const notes: string[] = [];
    const control = { onNote: (note: string) => notes.push(note) };
    const own = { model: undefined, width: undefined, depth: undefined, heads: undefined, steps: 1 };
    const post = await postPretrain(options({ ...own, weights: path.dirname(pre.log) }), control);
    expect(notes.join("\n")).toMatch(/parameters loaded, a new head/);

    const reversed = at("reversed.txt");
    writeFileSync(reversed, ["square", "rhombus", "circle"].join("\n"));
    notes.length = 0;
    const to = options({ ...own, weights: path.dirname(post.log), classes: reversed, lr: 0, headInitScale: 1 });
    const { checkpoint } = await finetune(to, control);
    expect(notes.join("\n")).toMatch(/rows of the head found by class; new: "rhombus"/);
    const [before, after] = [post.checkpoint, checkpoint].map((file) => contents(file).get("model head.weight")!);
    const row = (head: Float32Array, i: number) => head.slice(24 * i, 24 * (i + 1));
    expect(row(after, 0)).toEqual(row(before, 1));
    expect(row(after, 2)).toEqual(row(before, 0));
  });

  it("of another size, or of another stage in the folder, are refused by name", async () => {
    const small = await finetune(options({ steps: 1 }));
    const { out } = options();
    await expect(finetune(options({ out, width: 48, weights: small.checkpoint }))).rejects.toThrow(
      /patch_embed|blocks\.0/,
    );
    const same = path.dirname(small.log);
    await expect(postPretrain(options({ out: same }))).rejects.toThrow(
      /expected a checkpoint of videomae post-pretrain; got one of videomae finetune.*--weights/,
    );
    await expect(finetune(options({ out: same, depth: 3 }))).rejects.toThrow(/a model with depth 3; got depth 2/);
    const others = at("others.txt");
    writeFileSync(others, ["circle", "disc", "triangle"].join("\n"));
    await expect(finetune(options({ out: same, classes: others }))).rejects.toThrow(
      /expected 3 classes with "disc" as class 1.*got 3 with "square" there/,
    );
    writeFileSync(at("map.json"), "[0, 1, 7]");
    await expect(finetune(options({ weights: small.checkpoint, labelMap: at("map.json") }))).rejects.toThrow(
      /rows from 0 to 2 in the label map; got 7 for class 2/,
    );
  });
});

it("warns of flips where classes have a direction", slow, async () => {
  mkdirSync(at("directions"), { recursive: true });
  const names = at("directions.txt");
  writeFileSync(names, ["left", "right", "grow"].join("\n"));
  const notes: string[] = [];
  await finetune(options({ steps: 1, flip: 0.5, classes: names }), { onNote: (note) => notes.push(note) });
  expect(notes.join("\n")).toMatch(
    /mirrored \(--flip 0\.5\), which may change the class of "left", "right"; turn it off/,
  );
});
