import { copyFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, expect, it } from "vitest";
import { type BadFile, type LoaderOptions, loader, type QuarantineState, VideoDataset } from "#lib/data/loader.js";
import { isQuarantineState, Quarantine } from "#lib/data/quarantine.js";
import { haveShared, sharedFolder } from "../fixtures.js";
import { temporaryFolder } from "../temporary-folder.js";

const clip = { frames: 4, stride: 2, size: 32 };
const source = (name: string) => ({ kind: "video" as const, path: `/${name}`, where: "l:1" });

describe("Quarantine", () => {
  const sources = Array.from({ length: 10 }, (_, i) => source(`${i}`));
  const parts = [
    { name: "a", first: 0, count: 6, share: 0.5 },
    { name: "b", first: 6, count: 4, share: 0.5 },
  ];
  const at = (place: number, attempt = 0) => ({ epoch: 0, place, attempt });
  const make = (fraction = 0.5, state?: QuarantineState) => new Quarantine({ sources, parts }, fraction, state);
  const delivered = (count: number, replaced: number) =>
    Array.from({ length: count }, (_, i) => ({ part: 0, replaced: i < replaced }));

  it("leaves a file out from the step it says, and where it was found bad", () => {
    const quarantine = make();
    expect(quarantine.add({ source: 3, part: 0 }, at(17), "gone", 7)).toBe(true);
    expect(quarantine.add({ source: 3, part: 0 }, at(18), "gone", 8)).toBe(false);
    const state = JSON.parse(JSON.stringify(quarantine.state()));
    for (const one of [quarantine, make(0.5, state)]) {
      expect(one.isOut(3, 6, at(20))).toBe(false);
      expect(one.isOut(3, 4, at(17))).toBe(true);
      expect(one.isOut(3, 4, at(17, 1))).toBe(false);
      expect(one.isOut(3, 7, at(28))).toBe(true);
      expect(one.isOut(4, 7, at(28))).toBe(false);
      expect(one.report().map(({ bad }) => bad)).toEqual([1, 0]);
      expect(one.state()).toEqual(state);
    }
  });

  it("tries a file again that opens, until it does not", () => {
    const quarantine = make();
    quarantine.add({ source: 3, part: 0 }, at(1), "a damaged frame", null);
    expect(quarantine.isOut(3, 100, at(1))).toBe(false);
    expect(quarantine.add({ source: 3, part: 0 }, at(9), "gone", 4)).toBe(false);
    expect(quarantine.isOut(3, 4, at(16))).toBe(true);
    expect(quarantine.size).toBe(1);
  });

  it("fails when too many files of a part are bad, though few of all are", () => {
    const quarantine = make(0.4);
    quarantine.good();
    const add = (number: number) => quarantine.add({ source: number, part: 1 }, at(number), `${number} is gone`, 0);
    add(6);
    quarantine.check(1);
    add(7);
    expect(() => quarantine.check(1)).toThrow(
      /at most 0\.4 of 4 videos of b to be bad; got 2 bad ones, such as 6 is gone/,
    );
  });

  it("fails when too many of a thousand videos were replaced, also after a stop in between", () => {
    const first = make(0.25);
    first.count(delivered(600, 200));
    const second = make(0.25, first.state());
    expect(() => second.count(delivered(400, 51))).toThrow(
      /at most 0\.25 of the last 1000 videos to be replaced; got 251/,
    );
    const enough = make(0.25, first.state());
    enough.count(delivered(400, 50));
    enough.count(delivered(900, 225));
    expect(enough.report()[0]).toMatchObject({ videos: 1900, replaced: 475 });
  });

  it("knows its state from anything else", () => {
    const quarantine = make();
    quarantine.add({ source: 3, part: 0 }, at(1), "gone", 1);
    const state = JSON.parse(JSON.stringify(quarantine.state()));
    expect(isQuarantineState(state)).toBe(true);
    const others = [null, 3, {}, { ...state, files: [3] }, { ...state, parts: [{}] }, { ...state, window: undefined }];
    for (const other of others) {
      expect(isQuarantineState(other)).toBe(false);
      const load = () => loader(new VideoDataset(sources, clip), { batchSize: 1, quarantine: other as never });
      expect(load).toThrow(/loader: expected quarantine as a loader gives it/);
    }
    state.files[0].outFrom = -1;
    expect(isQuarantineState(state)).toBe(false);
  });

  it("drops what it knew of files that are not there any more", () => {
    const quarantine = make();
    quarantine.add({ source: 3, part: 0 }, at(1), "gone", 1);
    const others = new Quarantine(
      { sources: sources.slice(4), parts: [{ ...parts[0], count: 6 }] },
      0.5,
      quarantine.state(),
    );
    expect(others.size).toBe(0);
  });
});

describe.skipIf(!haveShared)("a loader that goes on", () => {
  const folder = temporaryFolder();
  const pool = (i: number) => join(sharedFolder, `data/videos/motion/pool/000${i}.mp4`);
  const names = ["0.mp4", "1.mp4", "2.mp4", "3.mp4", "4.mp4", "late.mp4", "lost.mp4"];
  for (let i = 0; i < 5; i++) copyFileSync(pool(i), join(folder, `${i}.mp4`));
  copyFileSync(join(sharedFolder, "data/videos/odd/bitflips.mp4"), join(folder, "4.mp4"));
  writeFileSync(join(folder, "list.csv"), names.map((name) => `${name} 0 -1`).join("\n"));
  const dataset = VideoDataset.from(join(folder, "list.csv"), clip);

  /** Plays steps; `late.mp4` is not there until step 4 has been given out. */
  async function play(options: Partial<LoaderOptions>, stopAfter = Number.POSITIVE_INFINITY) {
    const bad: BadFile[] = [];
    const onBadFile = (file: BadFile) => bad.push(file);
    const batches = loader(dataset, { batchSize: 2, steps: 24, seed: 1, maxBadFraction: 0.9, onBadFile, ...options });
    const seen = [];
    for await (using batch of batches) {
      const { step, sources, replaced } = batch;
      if (step === 4) copyFileSync(pool(6), join(folder, "late.mp4"));
      seen.push({ step, sources: sources.map((path) => basename(path)), replaced, frames: Buffer.from(batch.frames) });
      if (step === stopAfter) break;
    }
    return { seen, bad, state: JSON.parse(JSON.stringify(batches.quarantine())) as QuarantineState };
  }

  it.each([0, 2])(
    "gives the batches of one that never stopped, though a bad file was repaired (%i workers)",
    async (workers) => {
      rmSync(join(folder, "late.mp4"), { force: true });
      const whole = await play({ workers });
      expect(whole.seen.some(({ replaced }) => replaced > 0)).toBe(true);
      expect(whole.bad.map(({ source }) => basename(source)).sort()).toEqual(["4.mp4", "late.mp4", "lost.mp4"]);

      rmSync(join(folder, "late.mp4"));
      const before = await play({ workers }, 8);
      expect(before.seen).toEqual(whole.seen.slice(0, 9));
      const rest = { workers, startStep: 9, steps: 15 };
      const after = await play({ ...rest, quarantine: before.state });
      expect(after.seen).toEqual(whole.seen.slice(9));
      expect(after.bad).toEqual([]); // reported before
      expect(after.state).toEqual(whole.state);
      // Without what was learnt the repaired file would come back.
      const forgetful = await play(rest);
      expect(forgetful.seen).not.toEqual(whole.seen.slice(9));
      expect(forgetful.seen.some(({ sources }) => sources.includes("late.mp4"))).toBe(true);
    },
  );

  it("says where a file was found bad, and of what", async () => {
    const { bad } = await play({ workers: 1 });
    const lost = bad.find(({ source }) => source.endsWith("lost.mp4"))!;
    expect(lost).toMatchObject({
      where: `${join(folder, "list.csv")}:7`,
      part: join(folder, "list.csv"),
      epoch: 0,
      of: 7,
    });
    expect(lost.place).toBeLessThan(6);
    expect(lost.reason).toMatch(/lost\.mp4: expected a video file; got no such file/);
  });

  it("refuses videos with fewer frames than asked for", async () => {
    const odd = VideoDataset.from(join(sharedFolder, "data/videos/odd"), { ...clip, minFrames: 16 });
    const short = odd.sources.filter(({ where }) => /(five_frames|one_frame|vfr|gray)\.mp4$/.test(where));
    const bad: string[] = [];
    const options = { batchSize: 4, workers: 1, steps: 2, onBadFile: ({ reason }: BadFile) => bad.push(reason) };
    for await (using batch of loader(new VideoDataset(short, odd.clip), { ...options, maxBadFraction: 0.6 })) {
      for (const path of batch.sources) expect(path).toMatch(/(vfr|gray)\.mp4$/);
    }
    expect(bad.sort()).toEqual([
      expect.stringMatching(/five_frames\.mp4: expected at least 16 frames; got 5: too short/),
      expect.stringMatching(/one_frame\.mp4: expected at least 16 frames; got 1: too short/),
    ]);
  });
});
