import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ClipOrder } from "#lib/data/clip-order.js";
import { loader, VideoDataset } from "#lib/data/loader.js";
import { readMixture } from "#lib/data/mixture.js";
import { VideomaeError } from "#lib/errors.js";
import { haveShared, sharedFolder } from "../fixtures.js";
import { temporaryFolder } from "../temporary-folder.js";

const folder = temporaryFolder();
function file(name: string, text = "x"): string {
  const path = join(folder, name);
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, text);
  return path;
}
const list = (name: string, count: number) =>
  file(name, Array.from({ length: count }, (_, i) => `${file(`${name}-clips/${i}.mp4`)} ${i}`).join("\n"));
const a = list("a.csv", 30);
const b = list("b.csv", 10);
const clip = { frames: 4, stride: 4, size: 32 };

describe("readMixture", () => {
  it("puts lists side by side, with the counts as shares unless weights are given", () => {
    const { sources, parts } = readMixture([a, b]);
    expect(sources).toHaveLength(40);
    expect(parts).toEqual([
      { name: a, first: 0, count: 30, share: 0.75 },
      { name: b, first: 30, count: 10, share: 0.25 },
    ]);
    const weighted = readMixture([
      { path: a, weight: 1 },
      { path: b, weight: 4, stride: 2, name: "scripted" },
    ]);
    expect(weighted.parts.map(({ name, share }) => [name, share])).toEqual([
      [a, 0.2],
      ["scripted", 0.8],
    ]);
    expect(weighted.sources[0].stride).toBeUndefined();
    expect(weighted.sources.slice(30).every(({ stride, label }, i) => stride === 2 && label === i)).toBe(true);
  });

  it("reads a mixture file, whose paths start from its folder", () => {
    const path = file(
      "mix.json",
      JSON.stringify([
        { path: "a.csv", weight: 2 },
        { path: "b.csv-clips", weight: 1 },
      ]),
    );
    const { parts } = readMixture(path);
    expect(parts.map(({ name, count, share }) => [name, count, share])).toEqual([
      ["a.csv", 30, 2 / 3],
      ["b.csv-clips", 10, 1 / 3],
    ]);
    expect(VideoDataset.from(path, clip).parts).toEqual(parts);
  });

  it.each([
    [[], /data: expected 1 to 256 sources; got 0/],
    [[{ path: a, weight: 1 }, b], /data\[1\]\.weight: expected a weight for every source, or for none/],
    [[{ path: a, weight: 0 }], /data\[0\]\.weight: expected a number above 0; got 0/],
    [[{ path: a, wieght: 1 }], /data\[0\]: .*did you mean "weight"/],
    [[a, { path: b, stride: 1.5 }], /data\[1\]\.stride: expected an integer of at least 1; got 1.5/],
    [[a, { weight: 3 }], /data\[1\]\.path: expected a path; got nothing/],
    [[a, null], /data\[1\]: expected a path, or an object with one; got null/],
    [[a, { path: b, pictures: "both" }], /data\[1\]\.pictures: expected "start-total"/],
    [[a, join(folder, "none.csv")], /none\.csv: expected a folder of videos or a list file; got nothing there/],
    [[file("inner.json", "[]")], /data\[0\]\.path: .*not another mixture/],
  ])("refuses what makes no sense (%#)", (spec, message) => {
    expect(() => readMixture(spec as never)).toThrow(message);
    expect(() => readMixture(spec as never)).toThrow(VideomaeError);
  });

  it("refuses a mixture file that is none", () => {
    expect(() => readMixture(file("bad.json", "{"))).toThrow(/bad\.json: expected JSON/);
    expect(() => readMixture(file("object.json", "{}"))).toThrow(/object\.json: expected an array of sources/);
  });

  it("leaves out the files of a list of exclusions, in both its forms, and says how many", () => {
    const named = file("out.txt", `# broken\n${join(folder, "a.csv-clips/3.mp4")}\n\n/elsewhere/b.mp4\n`);
    const kept = readMixture([a, b], { exclude: named });
    expect([kept.excluded, kept.sources.length, kept.parts[0].count]).toEqual([1, 39, 29]);
    expect(kept.parts[1]).toEqual({ name: b, first: 29, count: 10, share: 10 / 39 });
    const frames = file("frames.csv", `${folder} 1 20\n${folder} 21 20\n${join(folder, "a.csv-clips/0.mp4")} 0 -1`);
    const records = [
      { path: folder, start: 21, total: 20 },
      { path: join(folder, "a.csv-clips/0.mp4"), reason: "x" },
    ];
    const jsonl = file("quarantine.jsonl", records.map((record) => `${JSON.stringify(record)}\n`).join(""));
    expect(readMixture(frames, { exclude: jsonl }).sources).toMatchObject([{ kind: "frames", start: 1, total: 20 }]);
    const all = file("all.txt", Array.from({ length: 10 }, (_, i) => join(folder, `b.csv-clips/${i}.mp4`)).join("\n"));
    expect(() => readMixture([a, b], { exclude: all })).toThrow(
      /b\.csv: expected a video that is not left out; got all 10/,
    );
    expect(() => readMixture(a, { exclude: file("x.jsonl", '{"path": 3}') })).toThrow(
      /x\.jsonl:1: expected a JSON object/,
    );
    expect(() => readMixture(a, { exclude: join(folder, "nowhere.txt") })).toThrow(/nowhere\.txt: .*nothing there/);
  });
});

describe("the order of a mixture", () => {
  const parts = [
    { name: "a", first: 0, count: 30, share: 0.2 },
    { name: "b", first: 30, count: 10, share: 0.5 },
    { name: "c", first: 40, count: 61, share: 0.3 },
  ];
  const order = new ClipOrder(parts, 4, 7, false);
  const seatsOf = (step: number) => order.places(step).map((place) => order.at(place));

  it("has every part within one clip of its share, over an epoch and at every step of it", () => {
    expect(order.stepsPerEpoch).toBe(25);
    for (const epoch of [0, 1, 5]) {
      const had = parts.map(() => 0);
      for (let step = 0; step < 25; step++) {
        for (const { source, part } of seatsOf(25 * epoch + step)) {
          had[part]++;
          expect(source).toBeGreaterThanOrEqual(parts[part].first);
          expect(source).toBeLessThan(parts[part].first + parts[part].count);
        }
        for (const [i, { share }] of parts.entries()) expect(Math.abs(had[i] - 4 * (step + 1) * share)).toBeLessThan(1);
      }
    }
  });

  it("goes through a part once before it begins again, in another order, also where epochs end in between", () => {
    const seen: number[][] = parts.map(() => []);
    for (let epoch = 0; epoch < 8; epoch++) {
      for (let place = 0; place < 101; place++) {
        const { source, part } = order.at({ epoch, place });
        seen[part].push(source);
      }
    }
    for (const [part, { first, count }] of parts.entries()) {
      const all = Array.from({ length: count }, (_, i) => first + i);
      const rounds = Array.from({ length: Math.floor(seen[part].length / count) }, (_, round) =>
        seen[part].slice(round * count, (round + 1) * count),
      );
      expect(rounds.length).toBeGreaterThan(1);
      for (const round of rounds) expect([...round].sort((x, y) => x - y)).toEqual(all);
      expect(rounds[0]).not.toEqual(rounds[1]);
    }
  });

  it("replaces a source by one of its part", () => {
    for (let attempt = 1; attempt < 200; attempt++) {
      const source = order.replacement({ epoch: 0, place: attempt }, 1, attempt);
      expect(source >= 30 && source < 40).toBe(true);
    }
  });

  it("is that of one list where there is one", () => {
    const one = new ClipOrder([{ name: "a", first: 0, count: 12, share: 1 }], 4, 7, false);
    const places = [3, 4, 5].flatMap((step) => one.places(step).map((place) => one.at(place).source));
    expect([...places].sort((x, y) => x - y)).toEqual(Array.from({ length: 12 }, (_, i) => i));
  });
});

describe.skipIf(!haveShared)("a loader of a mixture", () => {
  const root = join(sharedFolder, "data");
  const spec = [
    { path: join(root, "lists/motion_train.csv"), root, weight: 3, name: "train" },
    { path: join(root, "videos/motion/pool"), weight: 1, stride: 8, name: "pool" },
  ];
  const play = async (workers: number, startStep = 0) => {
    const batches = loader(VideoDataset.from(spec, clip), {
      batchSize: 8,
      workers,
      seed: 3,
      startStep,
      steps: 6 - startStep,
    });
    const seen = [];
    for await (using batch of batches) {
      seen.push({ sources: batch.sources, labels: batch.labels, frames: Buffer.from(batch.frames) });
    }
    return { seen, report: batches.report() };
  };

  it("gives the same batches whatever the number of workers and where it starts, shares kept", async () => {
    const { seen, report } = await play(2);
    expect((await play(0)).seen).toEqual(seen);
    expect((await play(3, 2)).seen).toEqual(seen.slice(2));
    expect(report.map(({ name, videos, replaced, bad }) => [name, videos, replaced, bad])).toEqual([
      ["train", 36, 0, 0],
      ["pool", 12, 0, 0],
    ]);
    for (const { sources, labels } of seen) {
      for (const [i, label] of labels.entries()) expect(label === undefined).toBe(sources[i].includes("/pool/"));
    }
  });

  it("takes the stride of the part", async () => {
    const { seen } = await play(0);
    const slow = VideoDataset.from(
      spec.map((part) => ({ ...part, stride: 4 })),
      clip,
    );
    const batches = loader(slow, { batchSize: 8, workers: 0, seed: 3, steps: 6 });
    const bytes = 4 * 32 * 32 * 3;
    let step = 0;
    let differing = 0;
    for await (using batch of batches) {
      const { sources, frames } = seen[step++];
      for (const [i, source] of sources.entries()) {
        const same = frames
          .subarray(i * bytes, (i + 1) * bytes)
          .equals(batch.frames.subarray(i * bytes, (i + 1) * bytes) as Uint8Array);
        if (!source.includes("/pool/")) expect(same).toBe(true);
        else if (!same) differing++;
      }
    }
    expect(differing).toBeGreaterThan(10);
  });
});
