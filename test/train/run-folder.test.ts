// The folder of a run: which checkpoint it goes on from, what it moves aside, and what it keeps.
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import path from "node:path";
import { beforeAll, expect, it } from "vitest";
import type { PretrainRunOptions } from "#lib/config/pretrain-config.js";
import { openCheckpoint } from "#lib/io/checkpoint.js";
import { bestCheckpointPath, checkpointPath, listCheckpoints } from "#lib/io/checkpoint-folder.js";
import { readJsonl } from "#lib/log/jsonl.js";
import { pretrain } from "#lib/train/pretrain.js";
import { makeClips } from "../../examples/make-clips.js";
import { temporaryFolder } from "../temporary-folder.js";

const folder = temporaryFolder();
const clips = path.join(folder, "clips");

beforeAll(async () => {
  await makeClips(clips, { count: 6, frames: 20 });
});

let runs = 0;
const newRun = (changes: Partial<PretrainRunOptions> = {}): PretrainRunOptions & { out: string } => ({
  ...{ data: clips, out: path.join(folder, `run-${runs++}`), model: "vit-tiny", stride: 2, batchSize: 2 },
  ...{ maskRatio: 0.75, steps: 8, saveEvery: 2, logEvery: 1, workers: 0, lr: 0.1, warmupSteps: 1 },
  ...changes,
});

/** Runs, and returns what it said after the note about the positional table. */
async function said(options: PretrainRunOptions): Promise<string[]> {
  const notes: string[] = [];
  await pretrain(options, { onNote: (note) => notes.push(note) });
  return notes.filter((note) => !note.startsWith("positional table"));
}

const stepsOf = (out: string) => listCheckpoints(out).map(({ step }) => step);
const logged = (out: string) => readJsonl(path.join(out, "log.jsonl")).flatMap(({ step }) => step ?? []);
const upTo = (count: number) => Array.from({ length: count }, (_, i) => i + 1);
const inode = (file: string) => statSync(file).ino;

/** A hash over the weights of a checkpoint. */
function weights(file: string): string {
  using checkpoint = openCheckpoint(file);
  const hash = createHash("sha256");
  for (const name of checkpoint.names()) hash.update(checkpoint.read("model", name).data);
  return hash.digest("hex");
}

function damage(file: string): void {
  const bytes = readFileSync(file);
  bytes[bytes.length - 100] ^= 4;
  writeFileSync(file, bytes);
}

it("keeps the newest checkpoints and the best one", async () => {
  const run = newRun({ keep: 2 });
  await pretrain(run);
  expect(stepsOf(run.out)).toEqual([6, 8]);
  const best = bestCheckpointPath(run.out);
  using checkpoint = openCheckpoint(best);
  expect(checkpoint.state.best).toMatchObject({ step: checkpoint.state.step });
  using last = openCheckpoint(checkpointPath(run.out, 8));
  expect(last.state.best).toEqual(checkpoint.state.best);
  const numbered = checkpointPath(run.out, checkpoint.state.step);
  if (existsSync(numbered)) expect(inode(best)).toBe(inode(numbered));
});

it("goes on from the checkpoint before a damaged one, and says so", async () => {
  const whole = newRun();
  await pretrain(whole);
  const run = newRun();
  await pretrain({ ...run, steps: 8 });
  damage(checkpointPath(run.out, 8));
  const notes = await said(run);
  expect(notes[0]).toMatch(/not resumed from this one: checkpoint .*checkpoint-8.safetensors.*sha256/);
  expect(notes[1]).toMatch(/moved to .*previous-1.*: checkpoint-8.safetensors/);
  expect(weights(checkpointPath(run.out, 8))).toEqual(weights(checkpointPath(whole.out, 8)));
  expect(logged(run.out)).toEqual(upTo(8));
  expect(readdirSync(path.join(run.out, "previous-1"))).toContain("log.jsonl");
  const events = readJsonl(path.join(run.out, "log.jsonl")).flatMap(({ event, note }) =>
    event === "note" ? note : [],
  );
  expect(events).toEqual(expect.arrayContaining(notes));
});

it("refuses to start over when every checkpoint is damaged, and a damaged one that is named", async () => {
  const run = newRun({ steps: 2 });
  await pretrain(run);
  const file = checkpointPath(run.out, 2);
  damage(file);
  await expect(pretrain(run)).rejects.toThrow(/not damaged.*--no-resume/);
  await expect(pretrain({ ...run, resume: file })).rejects.toThrow(/sha256/);
  expect(stepsOf(run.out)).toEqual([2]);
  expect((await said({ ...run, resume: false }))[0]).toMatch(/previous-1/);
  expect(stepsOf(run.out)).toEqual([2]);
  expect(readdirSync(path.join(run.out, "previous-1")).sort()).toEqual([
    "checkpoint-2.safetensors",
    "checkpoint-best.safetensors",
    expect.stringMatching(/^events\.out\.tfevents\./),
    "log.jsonl",
  ]);
});

it("does not fall back when the file system refuses", async () => {
  const run = newRun({ steps: 2 });
  await pretrain(run);
  mkdirSync(checkpointPath(run.out, 4));
  await expect(pretrain(run)).rejects.toThrow(/checkpoint-4.*the path is a folder/);
});

it("moves aside what lies beyond a checkpoint that is named, and all when it starts anew", async () => {
  const run = newRun({ keep: 10 });
  await pretrain(run);
  const before = weights(checkpointPath(run.out, 8));
  const notes = await said({ ...run, resume: checkpointPath(run.out, 4) });
  expect(notes[0]).toMatch(/previous-1.*checkpoint-6.safetensors, checkpoint-8.safetensors/);
  expect(stepsOf(run.out)).toEqual([2, 4, 6, 8]);
  expect(weights(checkpointPath(run.out, 8))).toEqual(before);
  expect(logged(run.out)).toEqual(upTo(8));
  expect(logged(path.join(run.out, "previous-1"))).toEqual(upTo(8));

  await pretrain({ ...run, resume: false, steps: 4 });
  expect(stepsOf(run.out)).toEqual([2, 4]);
  expect(stepsOf(path.join(run.out, "previous-2"))).toEqual([2, 4, 6, 8]);
  expect(logged(run.out)).toEqual(upTo(4));

  const other = newRun({ steps: 2 });
  await pretrain(other);
  await pretrain({ ...other, steps: 8, resume: checkpointPath(path.join(run.out, "previous-2"), 6) });
  expect(logged(other.out)).toEqual([7, 8]);
  expect(stepsOf(other.out)).toEqual([8]);
  expect(stepsOf(path.join(other.out, "previous-1"))).toEqual([2]);
});

it("removes what killed saves left, but not what a running process writes", async () => {
  const run = newRun({ steps: 2 });
  mkdirSync(run.out);
  const dead = ".checkpoint-4.safetensors.4194999-0.tmp"; // beyond the largest process number
  const running = `.checkpoint-4.safetensors.${process.ppid}-3.tmp`;
  for (const name of [dead, running]) writeFileSync(path.join(run.out, name), "part");
  expect((await said(run))[0]).toBe(`removed what was left of a save that was cut short: ${dead}`);
  expect(readdirSync(run.out)).toContain(running);
});

it("reports each bad file once, resumed or not", async () => {
  const list = path.join(folder, "list.csv");
  const good = ["clips/clip-000.mp4", "clips/clip-001.mp4", "clips/clip-002.mp4"];
  writeFileSync(list, [...good, "absent.mp4"].map((name) => `${name} 0 -1`).join("\n"));
  const run = newRun({ data: list, steps: 16 });
  const stop = new AbortController();
  const bad: string[] = [];
  const onBadFile = ({ where }: { where: string }) => bad.push(where);
  await pretrain(run, { signal: stop.signal, onStep: ({ step }) => step === 8 && stop.abort(), onBadFile });
  await pretrain(run, { onBadFile });
  expect(bad).toEqual([`${list}:4`]);
  expect(readJsonl(path.join(run.out, "log.jsonl")).filter(({ event }) => event === "bad file")).toHaveLength(1);
});

it("says when the videos are others than before", async () => {
  const list = path.join(folder, "growing.csv");
  const lines = Array.from({ length: 5 }, (_, i) => `clips/clip-00${i}.mp4 0 -1`);
  writeFileSync(list, lines.slice(0, 4).join("\n"));
  const run = newRun({ data: list, steps: undefined, epochs: 2 });
  await pretrain(run);
  writeFileSync(list, lines.concat("clips/clip-005.mp4 0 -1").join("\n"));
  const notes = (await said(run)).join("\n");
  expect(notes).toMatch(/videos 6 where the run had 4: its numbers will differ/);
  expect(notes).toMatch(/list of videos "[0-9a-f]+" where/);
});

it("belongs to one run at a time, and to no killed one", async () => {
  const run = newRun({ steps: 4 });
  let refused: Promise<unknown> = Promise.resolve();
  await pretrain(run, {
    onStep: ({ step }) => {
      if (step === 2) refused = expect(pretrain(run)).rejects.toThrow(/process \d+ writes to.*--out/);
    },
  });
  await refused;
  expect(existsSync(path.join(run.out, "run.lock"))).toBe(false);
  for (const [host, number, started] of [
    [hostname(), 4194999, "1"],
    [hostname(), process.ppid, "1"],
    ["elsewhere", process.pid, "1"],
  ]) {
    writeFileSync(path.join(run.out, "run.lock"), JSON.stringify({ host, process: number, started }));
    expect((await pretrain(run)).done).toBe(4);
  }
  writeFileSync(path.join(run.out, "run.lock"), "{");
  expect((await pretrain(run)).done).toBe(4);
});

it("has a checkpoint of what was done when the data fails", async () => {
  const list = path.join(folder, "failing.csv");
  const copies = Array.from({ length: 4 }, (_, i) => path.join(folder, `copy-${i}.mp4`));
  for (const copy of copies) copyFileSync(path.join(clips, "clip-000.mp4"), copy);
  writeFileSync(list, copies.map((copy) => `${copy} 0 -1`).join("\n"));
  const run = newRun({ data: list, saveEvery: 100, steps: 100 });
  const breakAll = ({ step }: { step: number }) => {
    if (step === 5) for (const copy of copies) writeFileSync(copy, "");
  };
  await expect(pretrain(run, { onStep: breakAll })).rejects.toThrow(/videos/);
  const [saved] = stepsOf(run.out);
  expect(saved).toBeGreaterThanOrEqual(5);
  expect(logged(run.out)).toEqual(upTo(saved));
});
