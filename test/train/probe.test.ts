// Probes on real clips: that they learn, that features are made once, stopped runs, and what is refused.
import { appendFileSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import type { ProbeRunOptions } from "#lib/config/probe-config.js";
import { pretrain } from "#lib/train/pretrain.js";
import { type ProbeControl, probe } from "#lib/train/probe.js";
import type { TrainingStep } from "#lib/train/training-loop.js";
import { hasEmulator } from "../devices.js";
import { temporaryFolder } from "../temporary-folder.js";
import { checkpointContents, makeLabelledClips } from "./labelled-clips.js";

const folder = temporaryFolder();
const clips = path.join(folder, "clips");
const held = path.join(folder, "held");
const weights = path.join(folder, "encoder");

beforeAll(async () => {
  await makeLabelledClips(clips, ["circle", "square", "star"], 3);
  await makeLabelledClips(held, ["square"], 2);
  const encoder = { model: "vit-tiny", image: 32, frames: 4, stride: 2, decoderWidth: 24, decoderHeads: 2 };
  await pretrain({ ...encoder, data: path.join(clips, "circle"), out: weights, batchSize: 2, steps: 1, workers: 0 });
});

let runs = 0;
function options(changes: Partial<ProbeRunOptions> = {}): ProbeRunOptions {
  const out = path.join(folder, `run-${runs++}`);
  const pace = { batchSize: 4, steps: 6, lr: 1, warmupSteps: 1, logEvery: 1, workers: 1 };
  return { data: clips, weights, out, stride: 2, ...pace, ...changes };
}

/** Runs a probe, and returns what it said too. */
async function noted(given: ProbeRunOptions, control: ProbeControl = {}) {
  const notes: string[] = [];
  const summary = await probe(given, { ...control, onNote: (note) => notes.push(note) });
  return { ...summary, notes };
}

const filesOf = (of: string) => readdirSync(of).map((name) => [name, statSync(path.join(of, name)).mtimeMs] as const);

describe("probe", () => {
  it.each(["linear", "attentive"] as const)("%s: learns the classes of its clips", async (kind) => {
    const given = options({
      kind,
      steps: kind === "linear" ? 200 : 60,
      lr: kind === "linear" ? 3 : 0.3,
      validation: clips,
    });
    const { accuracy, classes } = await probe(given);
    expect(classes).toEqual(["circle", "square", "star"]);
    expect(accuracy.training.top1).toBe(1);
    expect(accuracy.validation!.confusion).toEqual(accuracy.training.confusion);
    const report = JSON.parse(readFileSync(path.join(given.out!, "accuracy.json"), "utf8"));
    expect(report.validation).toMatchObject({ clips: 9, top1: 1, classMean: 1 });
    expect(report.training.classes[2]).toEqual({ name: "star", clips: 3, correct: 3 });
  });

  it.each(["linear", "attentive"] as const)("%s: stopped and resumed, the same numbers", async (kind) => {
    const whole = await probe(options({ kind, workers: 0 }));
    const stopped = options({ kind, workers: 2 });
    const stop = new AbortController();
    const onStep = ({ step }: TrainingStep) => step === 3 && stop.abort();
    expect((await probe(stopped, { signal: stop.signal, onStep })).done).toBe(3);
    const resumed = await probe(stopped);
    expect(checkpointContents(resumed.checkpoint)).toEqual(checkpointContents(whole.checkpoint));
  });

  it("sees each clip once: other probes find the features, and only what is missing is made", async () => {
    const features = path.join(folder, "features");
    const first = await noted(options({ features, validation: held }));
    expect(first.notes).toContain(`features of 9 of 9 training clips: computed, and kept in ${features}`);
    const before = filesOf(features);
    expect(before.map(([name]) => name)).toEqual([
      ...["training-00000", "training-00001", "training-00002", "validation-00000"].map(
        (name) => `${name}.safetensors`,
      ),
    ]);
    const again = await noted(options({ features, lr: 0.5, seed: 3 }));
    expect(again.notes).toContain(`features of 9 of 9 training clips: found in ${features}`);
    expect(filesOf(features)).toEqual(before);
    rmSync(path.join(features, "training-00002.safetensors"));
    await probe(options({ features }));
    expect(filesOf(features).filter(([, time], i) => time !== before[i][1]).length).toBe(1);
    await probe(options({ features, stride: 1 })); // other frames
    expect(filesOf(features).filter(([, time], i) => time !== before[i][1]).length).toBe(3);
  });

  it("leaves out a clip that cannot be read, and says so", async () => {
    const list = path.join(folder, "list.csv");
    const files = ["circle", "square"].flatMap((name, label) =>
      readdirSync(path.join(clips, name)).map((file) => `${path.join(clips, name, file)} ${label}\n`),
    );
    const bad = path.join(folder, "bad.mp4");
    writeFileSync(bad, "no video");
    writeFileSync(list, files.join(""));
    appendFileSync(list, `${bad} 1\n`);
    const reported: string[] = [];
    const { accuracy, notes } = await noted(options({ data: list }), {
      onBadFile: ({ source }) => reported.push(source),
    });
    expect(accuracy.training.clips).toBe(6);
    expect(notes.join()).toContain("features of 6 of 7 training clips");
    expect(reported).toEqual([bad]);
  });

  it.each([
    [{ heads: 5, kind: "attentive" }, /probe heads: expected a divisor of the width/],
    [{ kind: "deep" }, /probe kind: expected one of linear, attentive; got "deep"/],
    [{ weights: "nowhere" }, /nowhere/],
  ])("refuses %o", async (changes, message) => {
    await expect(probe(options(changes as Partial<ProbeRunOptions>))).rejects.toThrow(message);
  });

  it("refuses validation clips of other classes, and a mixture", async () => {
    const other = path.join(folder, "other");
    await makeLabelledClips(other, ["hexagon"], 1);
    await expect(probe(options({ validation: other }))).rejects.toThrow(/hexagon/);
    const mixture = path.join(folder, "mixture.json");
    writeFileSync(mixture, JSON.stringify([{ path: clips }, { path: clips, name: "again" }]));
    await expect(probe(options({ data: mixture }))).rejects.toThrow(/one list or folder; got a mixture of 2/);
  });
});

describe.skipIf(!hasEmulator)("probe on a device", () => {
  it.each(["linear", "attentive"] as const)("%s: learns in captured steps what it learns on the CPU", async (kind) => {
    const [onCpu, onDevice] = [await probe(options({ kind })), await probe(options({ kind, device: "emu" }))];
    const [expected, got] = [onCpu, onDevice].map(({ checkpoint }) => checkpointContents(checkpoint));
    for (const [name, values] of expected) {
      if (!name.startsWith("model")) continue;
      const other = got.get(name)!;
      for (const [i, value] of values.entries()) expect(Math.abs(other[i] - value), name).toBeLessThan(2e-3);
    }
  });
});
