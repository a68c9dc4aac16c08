import { spawnSync } from "node:child_process";
import { copyFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { type BadFile, type ClipBatch, loader, VideoDataset } from "#lib/data/loader.js";
import { Progress } from "#lib/log/progress.js";
import { haveShared, sharedFolder } from "../fixtures.js";
import { temporaryFolder } from "../temporary-folder.js";

const root = join(sharedFolder, "data");
const clip = { frames: 4, stride: 2, size: 32 };
const motion = (count: number, more: { views?: number } = {}) => {
  const all = VideoDataset.from(join(root, "lists/motion_pool.csv"), { root, ...clip, ...more });
  return new VideoDataset(all.sources.slice(0, count), all.clip);
};

interface Seen {
  step: number;
  epoch: number;
  keys: ClipBatch["keys"];
  sources: readonly string[];
  frames: Buffer;
}

async function play(batches: AsyncIterable<ClipBatch>): Promise<Seen[]> {
  const seen: Seen[] = [];
  for await (using batch of batches) {
    const { step, epoch, keys, sources } = batch;
    seen.push({ step, epoch, keys, sources, frames: Buffer.from(batch.frames) });
  }
  return seen;
}

/** A list of good and bad videos: copies of two clips, and files that are missing, empty, damaged, or no video. */
function mixedList(good: number): string {
  const folder = temporaryFolder();
  const lines = Array.from({ length: good }, (_, i) => {
    copyFileSync(join(root, `videos/motion/pool/000${i}.mp4`), join(folder, `${i}.mp4`));
    return `${i}.mp4 0 -1`;
  });
  copyFileSync(join(root, "videos/odd/bitflips.mp4"), join(folder, "flipped.mp4"));
  writeFileSync(join(folder, "empty.mp4"), "");
  writeFileSync(join(folder, "text.mp4"), "not a video");
  lines.splice(1, 0, "empty.mp4 0 -1", "missing.mp4 0 -1", "text.mp4 0 -1", "flipped.mp4 0 -1", "nowhere 1 20");
  writeFileSync(join(folder, "list.csv"), lines.join("\n"));
  return join(folder, "list.csv");
}

describe.skipIf(!haveShared)("loader", () => {
  it("gives the same batches whatever the number of workers, bad files included", async () => {
    const dataset = VideoDataset.from(mixedList(9), clip);
    const runs: Seen[][] = [];
    const reports: string[][] = [];
    for (const workers of [0, 1, 2, 3]) {
      const bad: BadFile[] = [];
      const options = { batchSize: 4, workers, seed: 5, epochs: 4, maxBadFraction: 0.9 };
      runs.push(await play(loader(dataset, { ...options, onBadFile: (file) => bad.push(file) })));
      reports.push(bad.map(({ where, reason }) => `${where} ${reason}`).sort());
    }
    expect(runs[0]).toHaveLength(12);
    for (const run of runs) expect(run).toEqual(runs[0]);
    for (const report of reports) expect(report).toEqual(reports[0]);
    const text = reports[0].join("\n");
    expect(new Set(reports[0]).size).toBe(reports[0].length);
    for (const reason of [/empty\.mp4: .*an empty file/, /missing\.mp4: .*no such file/, /text\.mp4: .*Invalid/]) {
      expect(text).toMatch(reason);
    }
    expect(text).toMatch(/list\.csv:6 .*nowhere.img_00001\.jpg/);
    expect(runs[0].flatMap((batch) => batch.sources).some((path) => path.includes("empty"))).toBe(false);
  });

  it("goes through every video once an epoch, in another order each time", async () => {
    const seen = await play(loader(motion(8), { batchSize: 4, epochs: 2, workers: 1 }));
    const epochs = [seen.slice(0, 2), seen.slice(2)].map((part) => part.flatMap((batch) => batch.sources));
    expect(new Set(epochs[0]).size).toBe(8);
    expect(new Set(epochs[1])).toEqual(new Set(epochs[0]));
    expect(epochs[1]).not.toEqual(epochs[0]);
    expect(seen.map((batch) => [batch.step, batch.epoch])).toEqual([
      [0, 0],
      [1, 0],
      [2, 1],
      [3, 1],
    ]);
    expect(seen[3].keys).toEqual([4, 5, 6, 7].map((place) => ({ epoch: 1, place, view: 0 })));
  });

  it("resumes at a step with what a full run gives there", async () => {
    const full = await play(loader(motion(10), { batchSize: 3, epochs: 3, seed: 1 }));
    expect(full).toHaveLength(9);
    expect(await play(loader(motion(10), { batchSize: 3, epochs: 3, seed: 1, startStep: 4 }))).toEqual(full.slice(4));
    expect(await play(loader(motion(10), { batchSize: 3, steps: 2, seed: 1, startStep: 4 }))).toEqual(full.slice(4, 6));
    expect(await play(loader(motion(10), { batchSize: 3, steps: 1, seed: 2 }))).not.toEqual(full.slice(0, 1));
  });

  it("cuts views from the same frames, video-major, the first as without views", async () => {
    const one = await play(loader(motion(4), { batchSize: 2, steps: 1, workers: 0 }));
    const [two] = await play(loader(motion(4, { views: 2 }), { batchSize: 2, steps: 1, workers: 0 }));
    const bytes = 4 * 32 * 32 * 3;
    expect(two.frames).toHaveLength(4 * bytes);
    expect(two.keys.map(({ place, view }) => [place, view])).toEqual([
      [0, 0],
      [0, 1],
      [1, 0],
      [1, 1],
    ]);
    expect(two.sources[0]).toBe(two.sources[1]);
    const view = (i: number) => two.frames.subarray(i * bytes, (i + 1) * bytes);
    expect(Buffer.concat([view(0), view(2)])).toEqual(one[0].frames);
    expect(view(1)).not.toEqual(view(0));
  });

  it("fills a batch from fewer videos, and says so", async () => {
    const batches = loader(motion(3), { batchSize: 8, epochs: 2, workers: 1 });
    expect(batches.stepsPerEpoch).toBe(1);
    expect(batches.note).toMatch(/3 videos fill a batch of 8/);
    const [first] = await play(batches);
    expect(new Set(first.sources.slice(0, 3)).size).toBe(3);
    expect(new Set(first.sources.slice(3, 6)).size).toBe(3);
  });

  it("evaluates in the list's order, the rest included", async () => {
    const dataset = motion(5);
    const seen = await play(loader(dataset, { batchSize: 2, evaluation: true }));
    expect(seen.map((batch) => batch.sources.length)).toEqual([2, 2, 1]);
    expect(seen.flatMap((batch) => batch.sources)).toEqual(
      dataset.sources.map((source) => (source.where && "path" in source ? source.path : "")),
    );
    expect(seen[2].frames).toHaveLength(4 * 32 * 32 * 3);
  });

  it("reads folders of pictures beside videos", async () => {
    const all = VideoDataset.from(join(root, "lists/pretrain_hybrid.csv"), { root, ...clip });
    const folders = all.sources.filter((source) => source.kind === "frames");
    const dataset = new VideoDataset([...folders, motion(1).sources[0]], clip);
    const [batch] = await play(loader(dataset, { batchSize: dataset.length, steps: 1 }));
    expect(new Set(batch.sources).size).toBe(dataset.length);
  });

  it("stops when too many files are bad, when all are, and when the list is wrong", async () => {
    const onBadFile = () => {};
    const dataset = VideoDataset.from(mixedList(3), clip);
    const some = play(loader(dataset, { batchSize: 4, onBadFile, maxBadFraction: 0.3 }));
    await expect(some).rejects.toThrow(/at most 0\.3 of 8 videos to be bad; got \d bad ones/);
    const lost = (count: number) =>
      Array.from({ length: count }, (_, i) => ({ kind: "video" as const, path: `/nowhere/${i}.mp4`, where: `l:${i}` }));
    const all = play(loader(new VideoDataset(lost(3), clip), { batchSize: 2, onBadFile, maxBadFraction: 1 }));
    await expect(all).rejects.toThrow(/got 3 bad ones.*\/nowhere\/\d\.mp4: expected a video file; got no such file/);
    const wrong = play(loader(new VideoDataset(lost(100_000), clip), { batchSize: 8, onBadFile }));
    await expect(wrong).rejects.toThrow(/got \d+ bad ones and no good one/);
  });

  it("keeps the pixels of a batch that is not disposed of, and takes back those of one that is", async () => {
    const held: ClipBatch[] = [];
    for await (const batch of loader(motion(6), { batchSize: 2, epochs: 2, workers: 2 })) held.push(batch);
    const expected = await play(loader(motion(6), { batchSize: 2, epochs: 2, workers: 0 }));
    expect(held.map((batch) => Buffer.from(batch.frames))).toEqual(expected.map((batch) => batch.frames));
    held[0][Symbol.dispose]();
    expect(() => held[0].frames).toThrow(/disposed of/);
  });

  it("holds no more than it says for a slow caller, who waits for nothing; a fast one waits all the time", async () => {
    const run = async (workers: number, restMs: number) => {
      const batches = loader(motion(40), { batchSize: 2, steps: 20, workers });
      const progress = new Progress({ total: 20, stream: new PassThrough(), window: 15 });
      const buffers = new Set<ArrayBufferLike>();
      for await (using batch of batches) {
        buffers.add(batch.frames.buffer);
        progress.update({ step: batch.step + 1, waitedMs: batch.waitedMs });
        await delay(restMs);
      }
      const most = batches.bufferBytes / (2 * 4 * 32 * 32 * 3);
      return { held: buffers.size, most, waiting: progress.rates().waiting! };
    };
    const slow = await run(2, 100);
    expect(slow.most).toBe(3);
    expect(slow.held).toBeLessThanOrEqual(3);
    expect(slow.waiting).toBeLessThan(0.3);
    const fast = await run(0, 0);
    expect([fast.held, fast.most]).toEqual([1, 1]);
    expect(fast.waiting).toBeGreaterThan(0.7);
  });

  it("has work ready for every worker when batches are small", () => {
    const videos = (batchSize: number, workers: number) =>
      loader(motion(4), { batchSize, workers }).bufferBytes / (4 * 32 * 32 * 3);
    expect(videos(1, 8)).toBe(17);
    expect(videos(64, 8)).toBe(3 * 64);
  });

  it("gives the pixels as a tensor", async () => {
    for await (using batch of loader(motion(2), { batchSize: 2, steps: 1, workers: 1 })) {
      expect(`${batch.video}`).toBe("u8[2, 4, 32, 32, 3]");
      expect(Buffer.from((await batch.video.read()) as Uint8Array)).toEqual(Buffer.from(batch.frames));
    }
  });

  it("refuses options that make no sense", () => {
    expect(() => loader(motion(2), { batchSize: 0 })).toThrow(/batchSize to be an integer of at least 1; got 0/);
    expect(() => loader(motion(2), { batchSize: 1, epochs: 1, steps: 1 })).toThrow(/epochs or steps/);
    expect(() => loader(motion(2), { batchSize: 1, worker: 3 } as never)).toThrow(/did you mean "workers"/);
    expect(() => loader(motion(2), { batchSize: 1, decodeTimeout: -1 })).toThrow(
      /decodeTimeout in \[0, 86400\] seconds/,
    );
    expect(() => loader(motion(2, { views: 2 }), { batchSize: 1, evaluation: true })).toThrow(/one view/);
    expect(() => new VideoDataset([], clip)).toThrow(/at least one video/);
    expect(() => new VideoDataset(motion(1).sources, { ...clip, size: 0 })).toThrow(/size/);
  });
});

describe.skipIf(!haveShared)("a process with a loader", () => {
  const program = (body: string) => `
    import { loader, VideoDataset } from "#lib/data/loader.js";
    const root = ${JSON.stringify(root)};
    const dataset = VideoDataset.from(root + "/lists/motion_pool.csv", { root, frames: 4, stride: 2, size: 32 });
    ${body}
    console.log("end");`;
  const runScript = (body: string) =>
    spawnSync(process.execPath, ["--input-type=module", "-e", program(body)], { timeout: 30_000, encoding: "utf8" });

  it.each([
    ["a loop that breaks", "for await (const batch of loader(dataset, { batchSize: 4 })) break;"],
    ["a loop that throws", "try { for await (const b of loader(dataset, { batchSize: 4 })) throw 1; } catch {}"],
    ["an iterator left open", "await loader(dataset, { batchSize: 4 })[Symbol.asyncIterator]().next();"],
    ["an iterator never asked", "loader(dataset, { batchSize: 4 })[Symbol.asyncIterator]();"],
  ])("ends after %s", (_, body) => {
    const { status, stdout, stderr } = runScript(body);
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: "end\n", stderr: "" });
  });
});
