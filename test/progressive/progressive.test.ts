// A schedule of three small stages: that each begins with what the one before left, and that kills change no bit.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { openCheckpoint } from "#lib/io/checkpoint.js";
import { bestCheckpointPath, latestCheckpoint } from "#lib/io/checkpoint-folder.js";
import { readJsonl } from "#lib/log/jsonl.js";
import { progressive } from "#lib/progressive/progressive.js";
import type { ProgressiveRecipe } from "#lib/progressive/schedule-recipe.js";
import { stageKinds } from "#lib/progressive/stage-kinds.js";
import { makeClips } from "../../examples/make-clips.js";
import { readEvents, skipWithoutTensorBoard } from "../log/read-events.js";
import { temporaryFolder } from "../temporary-folder.js";

const folder = temporaryFolder();
const recipe = path.join(folder, "recipe.yaml");
const whole = path.join(folder, "whole");
const stages = ["pretrain", "post-pretrain", "motion"];

beforeAll(async () => {
  const clips = path.join(folder, "clips");
  const made = await makeClips(clips, { count: 6, frames: 20 });
  const list = path.join(folder, "labelled.csv");
  writeFileSync(list, made.map(({ path: clip }, i) => `${path.resolve(clip)} ${i % 2}\n`).join(""));
  const labels = path.join(folder, "labels.txt");
  writeFileSync(labels, "even\nodd\n");
  writeFileSync(
    recipe,
    `shared: { model: vit-tiny, stride: 2, batchSize: 2, workers: 0, threads: 1, logEvery: 1, warmupSteps: 1, saveEvery: 2, lr: 0.1 }
stages:
  pretrain: { data: ${clips}, maskRatio: 0.75, steps: 5 }
  post-pretrain: { from: pretrain.best, data: ${list}, classes: ${labels}, validation: ${list}, views: 1, steps: 4 }
  motion: { stage: finetune, from: post-pretrain, data: ${list}, classes: ${labels}, validation: ${list}, views: 1, steps: 4 }
`,
  );
});

/** A hash over the weights of a stage, and the numbers of its log. */
function resultOf(out: string, stage: string) {
  using checkpoint = openCheckpoint(latestCheckpoint(path.join(out, stage))!.path);
  const hash = createHash("sha256");
  for (const name of checkpoint.names()) hash.update(checkpoint.read("model", name).data);
  const numbers = readJsonl(path.join(out, stage, "log.jsonl"))
    .filter(({ event }) => event === undefined || event === "validation")
    .map(({ waitedMs: _, ...line }) => line);
  return { step: checkpoint.state.step, weights: hash.digest("hex"), numbers };
}

describe("progressive training", () => {
  it("runs every stage, each from a checkpoint of the one before, and shows them in a page", async () => {
    const begun: string[] = [];
    const notes: string[] = [];
    const summary = await progressive(
      recipe,
      {
        onStage: ({ name, kind, number, of, done }) => {
          begun.push(`${number} of ${of}: ${name} ${kind} ${done}`);
          return { onNote: (note) => notes.push(note) };
        },
      },
      { out: whole },
    );
    expect(begun).toEqual([
      "1 of 3: pretrain pretrain false",
      "2 of 3: post-pretrain post-pretrain false",
      "3 of 3: motion finetune false",
    ]);
    expect(summary).toMatchObject({ done: true, out: whole, stages: [{ updates: 5 }, { updates: 4 }, { updates: 4 }] });
    const best = bestCheckpointPath(path.join(whole, "pretrain"));
    const last = latestCheckpoint(path.join(whole, "post-pretrain"))!.path;
    expect(notes).toEqual(expect.arrayContaining([expect.stringContaining(best), expect.stringContaining(last)]));
    const page = readFileSync(summary.report, "utf8");
    for (const stage of stages) expect(page).toContain(`<h2 id="${stage}">`);
    expect(page).toContain("data:image/webp;base64,");
    expect(page).toContain("even taken for");
    expect(page).not.toMatch(/(src|href)="(?!data:|#)/);
  });

  it("of which nothing is left to do does nothing, and tells of other options", async () => {
    const before = stages.map((stage) => resultOf(whole, stage));
    const notes: string[] = [];
    const changed = path.join(folder, "changed.yaml");
    writeFileSync(changed, readFileSync(recipe, "utf8").replace("steps: 5", "steps: 6"));
    await progressive(changed, { onNote: (note) => notes.push(note) }, { out: whole });
    expect(notes).toEqual([expect.stringMatching(/stage pretrain is done, with other options .*steps 5 -> 6.*remove/)]);
    expect(stages.map((stage) => resultOf(whole, stage))).toEqual(before);
  });

  it("ends with the same bits however often it was killed", async () => {
    const out = path.join(folder, "killed");
    const script = path.resolve(import.meta.dirname, "killed-schedule.mjs");
    for (const moment of [
      ["pretrain", "step", "3"],
      ["pretrain", "checkpoint", "5"],
      ["post-pretrain", "step", "1"],
      ["post-pretrain", "checkpoint", "2"],
      ["motion", "step", "4"],
    ]) {
      const { signal, stderr } = spawnSync(process.execPath, [script, recipe, out, ...moment], { encoding: "utf8" });
      expect({ moment, signal, stderr }).toMatchObject({ moment, signal: "SIGKILL" });
    }
    expect(await progressive(recipe, {}, { out })).toMatchObject({ done: true });
    for (const stage of stages) expect(resultOf(out, stage)).toEqual(resultOf(whole, stage));
  });

  it.skipIf(skipWithoutTensorBoard())("leaves the same curves and pictures for TensorBoard", () => {
    for (const stage of stages) {
      const [killed, never] = ["killed", "whole"].map((out) => {
        const { scalars, images } = readEvents(path.join(folder, out, stage));
        const { "train/waitedMs": _, ...numbers } = scalars;
        return { numbers, images };
      });
      expect(killed).toEqual(never);
      expect(Object.keys(never.numbers)).toContain("train/loss");
    }
    const { images } = readEvents(path.join(whole, "pretrain"));
    expect(images["reconstruction/0"].map(([step]) => step)).toEqual([2, 4, 5]);
    expect(readEvents(path.join(whole, "motion")).images.confusion.at(-1)![0]).toBe(4);
  });

  it("has a stage of every kind", async () => {
    const out = path.join(folder, "kinds");
    const labelled = { data: path.join(folder, "labelled.csv"), classes: path.join(folder, "labels.txt") };
    const plan: ProgressiveRecipe = {
      shared: { model: "vit-tiny", batchSize: 2, workers: 0, threads: 1, steps: 2 },
      stages: {
        pretrain: { data: path.join(folder, "clips"), maskRatio: 0.75 },
        "post-pretrain": { from: "pretrain", ...labelled, views: 1 },
        finetune: { from: "post-pretrain", ...labelled, views: 1 },
        distill: { from: "finetune", ...labelled, views: 1 },
        probe: { from: "pretrain.best", ...labelled, kind: "attentive", validation: labelled.data },
        accuracy: { from: "distill", ...labelled, segments: 2 },
      },
    };
    expect(Object.keys(plan.stages)).toEqual(Object.keys(stageKinds));
    const { done, report, stages } = await progressive(plan, {}, { out });
    expect(done).toBe(true);
    expect(stages.map(({ updates }) => updates)).toEqual([2, 2, 2, 2, 2, 0]);
    const { top1, step } = JSON.parse(readFileSync(path.join(out, "accuracy", "validation.json"), "utf8"));
    expect(step).toBe(2);
    const page = readFileSync(report, "utf8");
    for (const stage of Object.keys(plan.stages)) expect(page).toContain(`<h2 id="${stage}">`);
    expect(page).toContain(`<td class="number">${(100 * top1).toFixed(1)} %</td>`);
  });

  it("stops when it is asked to, and runs a stage anew whose folder was removed", async () => {
    const out = path.join(folder, "stopped");
    const stop = new AbortController();
    const control = {
      signal: stop.signal,
      onStage: () => ({ onStep: ({ step }: { step: number }) => step === 3 && stop.abort() }),
    };
    const stopped = await progressive(recipe, control, { out });
    expect(stopped).toMatchObject({ done: false, stages: [{ name: "pretrain", done: false, updates: 3 }] });
    expect(existsSync(path.join(out, "post-pretrain"))).toBe(false);
    await progressive(recipe, {}, { out });
    rmSync(path.join(out, "motion"), { recursive: true });
    await progressive(recipe, {}, { out });
    for (const stage of stages) expect(resultOf(out, stage)).toEqual(resultOf(whole, stage));
  });
});
