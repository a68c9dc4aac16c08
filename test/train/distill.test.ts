// Distillation on real clips: that a student comes to agree, stopped runs, kept scores, and teachers that do not fit.
import { readdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import type { DistillRunOptions } from "#lib/config/distill-config.js";
import { readJsonl } from "#lib/log/jsonl.js";
import { distill } from "#lib/train/distill.js";
import { finetune } from "#lib/train/finetune.js";
import type { TrainingStep } from "#lib/train/training-loop.js";
import { hasEmulator } from "../devices.js";
import { runNode } from "../run-node.js";
import { temporaryFolder } from "../temporary-folder.js";
import { checkpointContents, makeLabelledClips, tinyClassifier } from "./labelled-clips.js";

const folder = temporaryFolder();
const clips = path.join(folder, "clips");
const teacher = path.join(folder, "teacher");

beforeAll(async () => {
  await makeLabelledClips(clips, ["circle", "square"], 4);
  const options = { ...tinyClassifier, width: 32, mixup: 0, cutmix: 0, erase: 0, headInitScale: 1 };
  await finetune({ ...options, data: clips, out: teacher, steps: 4 });
});

let runs = 0;
function options(changes: Partial<DistillRunOptions> = {}): DistillRunOptions {
  const out = path.join(folder, `run-${runs++}`);
  return { ...tinyClassifier, data: clips, teacher, out, steps: 4, ...changes };
}

describe("distill", () => {
  it("makes a student agree", async () => {
    const same = { mixup: 0, cutmix: 0, erase: 0, flip: 0, dropPath: 0, cropArea: [0.99, 1] as [number, number] };
    const { log } = await distill(options({ ...same, steps: 30, headInitScale: 1 }));
    const losses = readJsonl(log).flatMap(({ loss }) => (typeof loss === "number" ? [loss] : []));
    const [early, late] = [losses.slice(0, 3), losses.slice(-3)].map((some) => Math.max(...some));
    expect(late).toBeLessThan(0.5 * early);
  });

  it.each([
    { teacherDtype: "bf16", accumulate: 2 },
    { teacherScores: "scores", dropPath: 0.2 },
    { dtype: "bf16", emaDecay: 0.9 },
  ] as const)("gives the same numbers stopped and resumed as never stopped, whatever the workers: %o", async (how) => {
    const kept = (name: string) =>
      "teacherScores" in how ? { ...how, teacherScores: path.join(folder, `${how.teacherScores}-${name}`) } : how;
    const whole = await distill(options({ ...kept("whole"), workers: 0 }));
    const stopped = options({ ...kept("stopped"), workers: 2 });
    const stop = new AbortController();
    const onStep = ({ step }: TrainingStep) => step === 2 && stop.abort();
    expect((await distill(stopped, { signal: stop.signal, onStep })).done).toBeLessThan(4);
    const resumed = await distill(stopped);
    expect(resumed.done).toBe(4);
    expect(checkpointContents(resumed.checkpoint)).toEqual(checkpointContents(whole.checkpoint));
  });

  it("keeps the teacher's scores for another student, which learns the same as without", async () => {
    const scores = path.join(folder, "kept");
    const plain = await distill(options());
    const first = await distill(options({ teacherScores: scores }));
    expect(checkpointContents(first.checkpoint)).toEqual(checkpointContents(plain.checkpoint));
    const files = () => readdirSync(scores).map((name) => [name, statSync(path.join(scores, name)).mtimeMs]);
    const before = files();
    expect(before.length).toBe(4);
    await distill(options({ teacherScores: scores, width: 16, lr: 0.01 }));
    expect(files()).toEqual(before);
    await distill(options({ teacherScores: scores, seed: 1 })); // other clips
    expect(files().filter(([, time], i) => time !== before[i][1]).length).toBe(4);
  });

  it("says that kept scores are damaged", async () => {
    const scores = path.join(folder, "damaged");
    await distill(options({ teacherScores: scores, steps: 1 }));
    const file = path.join(scores, readdirSync(scores)[0]);
    writeFileSync(file, readFileSync(file).subarray(0, 40));
    await expect(distill(options({ teacherScores: scores, steps: 1 }))).rejects.toThrow(file);
  });

  it("refuses a teacher of other classes, and names them", async () => {
    const other = path.join(folder, "other");
    await makeLabelledClips(other, ["circle", "star"], 4);
    await expect(distill(options({ data: other }))).rejects.toThrow(
      /expected a teacher of the 2 classes of the data; got one of 2 classes, without "star", with "square"/,
    );
    renameSync(path.join(other, "circle"), path.join(other, "zebra"));
    renameSync(path.join(other, "star"), path.join(other, "circle"));
    renameSync(path.join(other, "zebra"), path.join(other, "square"));
    const names = path.join(folder, "names.txt");
    writeFileSync(names, "square\ncircle\n");
    await expect(distill(options({ data: other, classes: names }))).rejects.toThrow(
      /in another order: class 0 is "circle", that of the data "square"/,
    );
    await makeLabelledClips(other, ["third"], 4);
    await expect(distill(options({ data: other }))).rejects.toThrow(
      /of the 3 classes.*one of 2 classes, without "third"/,
    );
  });

  it("refuses a teacher of other clips", async () => {
    await expect(distill(options({ frames: 2 }))).rejects.toThrow(
      /expected a teacher of clips of 2 x 32 x 32; got one of clips of 4 x 32 x 32/,
    );
    // The command rehearses the step before it trains, and must say the same.
    const args = ["distill", clips, "--teacher", teacher, "--model", "vit-tiny", "--frames", "2"];
    const { status, stderr } = await runNode("../dist/cli/main.js", { args });
    expect([status, stderr]).toEqual([1, expect.stringMatching(/expected a teacher of clips of 2 x 32 x 32/)]);
  });
});

describe.skipIf(!hasEmulator)("distill on a device", () => {
  it("learns in captured steps what it learns on the CPU", async () => {
    const how = { steps: 4, dropPath: 0.2 };
    const [onCpu, onDevice] = [await distill(options(how)), await distill(options({ ...how, device: "emu" }))];
    const losses = (log: string) => readJsonl(log).flatMap(({ loss }) => (typeof loss === "number" ? [loss] : []));
    const [expected, got] = [losses(onCpu.log), losses(onDevice.log)];
    expect(got.length).toBe(4);
    for (const [i, loss] of expected.entries()) expect(Math.abs(got[i] - loss)).toBeLessThan(1e-4 * loss);
  });
});
