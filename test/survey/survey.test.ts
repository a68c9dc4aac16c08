// A list with everything that can be wrong with it, tried line by line.
import { copyFileSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import path from "node:path";
import sharp from "sharp";
import { beforeAll, describe, expect, it } from "vitest";
import { officialLine } from "#lib/data/list-line.js";
import { readSources } from "#lib/data/lists.js";
import { writeCleanList } from "#lib/survey/clean-list.js";
import { readEntries } from "#lib/survey/entries.js";
import { summarize } from "#lib/survey/summary.js";
import { type SurveyOptions, survey } from "#lib/survey/survey.js";
import { makeClips } from "../../examples/make-clips.js";
import { haveShared, sharedFolder } from "../fixtures.js";
import { temporaryFolder } from "../temporary-folder.js";

const folder = temporaryFolder();
const list = path.join(folder, "list.csv");
const how = { frames: 4, stride: 2, thorough: false, decoder: "auto", workers: 2, timeout: 30 } as const;
const run = (data: string, options: Partial<SurveyOptions> = {}) => survey(data, { ...how, ...options });

beforeAll(async () => {
  await makeClips(path.join(folder, "clips"), { count: 3, frames: 12 });
  copyFileSync(path.join(folder, "clips/clip-000.mp4"), path.join(folder, "clips/cut.mp4"));
  truncateSync(path.join(folder, "clips/cut.mp4"), 2000);
  copyFileSync(path.join(folder, "clips/clip-001.mp4"), path.join(folder, "clips/with space 7.mp4"));
  for (const [name, sizes] of Object.entries({ whole: [32, 32, 32], gap: [32, 0, 32], odd: [32, 32, 16] })) {
    mkdirSync(path.join(folder, name));
    for (const [i, side] of sizes.entries()) {
      if (side === 0) continue;
      const picture = sharp({ create: { width: side, height: 32, channels: 3, background: "#336699" } });
      await picture.jpeg().toFile(path.join(folder, name, `img_0000${i + 1}.jpg`));
    }
  }
  const lines = [
    ...["# a comment", "clips/clip-000.mp4 0 -1", "clips/clip-001.mp4 0", "clips/none.mp4 0 -1", "clips/cut.mp4 0 -1"],
    ...["nothing, but, commas", "", "clips/with space 7.mp4 0 -1", "whole 1 3 5", "gap 1 3", "odd 1 3", "whole 1 2"],
    ...["clips/clip-000.mp4", "clips/clip-002.mp4 2"],
  ];
  writeFileSync(list, lines.join("\n"));
});

it("reads lists for classification when told so", async () => {
  const classes = path.join(folder, "classes.csv");
  writeFileSync(classes, "whole 3 7\nwhole 4 7\n");
  const { entries } = await run(classes, { pictures: "total-label", startIndex: 1 });
  expect(entries.map(({ label, probed }) => [label, probed.good])).toEqual([
    [7, true],
    [7, false],
  ]);
});

describe("every line", () => {
  it("is told of, in order, with what is wrong or unusual", async () => {
    const progress: string[] = [];
    const result = await run(list, { onProgress: (done, total) => progress.push(`${done}/${total}`) });
    expect(
      result.entries.map(({ where, probed, warnings }) => [
        where.replace(`${list}:`, ""),
        probed.good ? "good" : probed.reason.replace(/\n.*/s, ""),
        warnings.join(", "),
      ]),
    ).toEqual([
      ["2", "good", ""],
      ["3", "good", ""],
      ["4", expect.stringMatching(/^expected a video file; got no such file/), ""],
      ["5", expect.stringMatching(/^expected /), ""],
      ["6", expect.stringMatching(/^expected "path".*Hint: fields are separated by spaces/), ""],
      ["8", "good", ""],
      ["9", "good", "shorter than a clip"],
      ["10", expect.stringMatching(/^expected 3 pictures, as .*:10 says; got 1 missing, such as img_00002\.jpg/), ""],
      ["11", expect.stringMatching(/32 x 32 pixels, as in the first picture; got 16 x 32/), ""],
      ["12", "good", `the same path as ${list}:9, shorter than a clip, more pictures than the list says`],
      ["13", "good", `the same path as ${list}:2`],
      ["14", "good", ""],
    ]);
    expect([result.interrupted, result.total]).toEqual([false, 12]);
    expect(result.warnings).toEqual([
      "9 lines without a label, the others have one",
      "3 labels between 0 and 5 on no line: 1, 3, 4",
    ]);
    expect(progress.at(-1)).toBe("12/12");
    expect(result.entries[0].probed).toMatchObject({ frames: 12, width: 64, height: 64, rate: expect.closeTo(16, 1) });
    expect(summarize(result, 4)).toMatchObject({
      ...{ lines: 12, good: 7, bad: 5, badRate: 5 / 12, duplicates: 2, clipsPerEpoch: 28 },
      ...{ sizes: { "64 x 64": 5, "32 x 32": 2 }, lengths: { "2 to 3": 2, "8 to 15": 5 } },
      warnings: { "duplicate path": 2, "shorter than a clip": 2, "more pictures than the list says": 1 },
    });
  });

  it("gives the same however many processes look", async () => {
    const [one, three] = [await run(list, { workers: 1 }), await run(list, { workers: 3 })];
    expect(three).toEqual(one);
  });

  it("of a folder", async () => {
    const result = await run(path.join(folder, "clips"), { thorough: true });
    expect(result.entries.map(({ probed }) => probed.good)).toEqual([true, true, true, false, true]);
  });
});

describe("a clean list", () => {
  it("holds the good lines once, in the official form, and reads back", async () => {
    const clean = path.join(folder, "clean.csv");
    const { kept, dropped } = writeCleanList(clean, await run(list), { data: list });
    expect(kept).toBe(5);
    expect(dropped.map(({ where }) => where.replace(`${list}:`, ""))).toEqual(["4", "5", "6", "10", "11", "12", "13"]);
    expect(readFileSync(clean, "utf8").split("\n")).toEqual([
      ...["clips/clip-000.mp4 0 -1", "clips/clip-001.mp4 0 -1 0", "clips/with space 7.mp4 0 -1", "whole 1 3 5"],
      ...["clips/clip-002.mp4 0 -1 2", ""],
    ]);
    expect((await run(clean)).entries.every(({ probed }) => probed.good)).toBe(true);
  });

  it("has absolute paths where it lies elsewhere", async () => {
    mkdirSync(path.join(folder, "elsewhere"), { recursive: true });
    const clean = path.join(folder, "elsewhere/clean.csv");
    writeCleanList(clean, await run(list), { data: list });
    expect(readFileSync(clean, "utf8")).toContain(`${folder}/clips/clip-000.mp4 0 -1\n`);
    expect(readSources(clean).length).toBe(5);
  });

  it("is not written from half a survey, or without a good line", async () => {
    const stop = new AbortController();
    const result = await run(list, { signal: stop.signal, onProgress: () => stop.abort() });
    expect(result.interrupted).toBe(true);
    expect(result.entries.length).toBeLessThan(12);
    const clean = path.join(folder, "half.csv");
    expect(() => writeCleanList(clean, result, { data: list })).toThrow(/expected a survey of the whole list/);
    const bad = await run(path.join(folder, "clips/cut.mp4"));
    expect(() => writeCleanList(clean, bad, { data: list })).toThrow(
      /at least one line that can be used; got none of 1/,
    );
  });

  it.each([
    ["a b.mp4", "a b.mp4 0 -1"],
    ["a 7", '"a 7" 0 -1'],
    ["#a.mp4", '"#a.mp4" 0 -1'],
  ])("quotes where it must: %s", (name, line) => {
    expect(officialLine(name, { kind: "video", path: name, where: "" }, undefined)).toBe(line);
    const file = path.join(folder, "quotes.csv");
    writeFileSync(file, `${line}\n`);
    expect(readEntries(file).map(({ written }) => written)).toEqual([name]);
  });
});

it("a video that takes too long is bad, and the next one is tried all the same", async () => {
  const { entries } = await run(path.join(folder, "clips"), { timeout: 0.001, workers: 1 });
  expect(entries.length).toBe(5);
  for (const { probed } of entries)
    expect(probed).toEqual({ good: false, reason: "no answer from the decoder in 0.001 s" });
});

it("folders of pictures that are none are bad", async () => {
  const file = path.join(folder, "no-folders.csv");
  writeFileSync(file, "whole 1 3\nno-such 1 3\nlist.csv 1 3\n");
  const { entries } = await run(file);
  expect(entries.map(({ probed }) => (probed.good ? "" : probed.reason))).toEqual([
    ...["", "expected a folder of pictures; got ENOENT", "expected a folder of pictures; got ENOTDIR"],
  ]);
});

it("mistakes are errors", async () => {
  await expect(run(path.join(folder, "nowhere"))).rejects.toThrow(/nothing there/);
  await expect(run(list, { workers: 0 })).rejects.toThrow(/survey workers: expected an integer of at least 1; got 0/);
  await expect(run(list, { timeout: Number.NaN })).rejects.toThrow(/survey timeout/);
  await expect(run(list, { decoder: "vlc" as "auto" })).rejects.toThrow(/expected "auto", "node-av" or "ffmpeg"/);
  writeFileSync(path.join(folder, "empty.csv"), "# nothing\n");
  await expect(run(path.join(folder, "empty.csv"))).rejects.toThrow(/an empty list/);
});

// Clips made to break things: each is good, or has its reason.
it.skipIf(!haveShared)(
  "odd clips",
  async () => {
    const { entries } = await run(path.join(sharedFolder, "data/videos/odd"), { frames: 16, stride: 1 });
    const name = ({ where }: { where: string }) => path.basename(where);
    expect(entries.filter(({ probed }) => !probed.good).map(name)).toEqual([
      ...["audio_only.mp4", "bitflips.mp4", "not_a_video.mp4", "truncated_faststart.mp4", "truncated_no_moov.mp4"],
      "zero_bytes.mp4",
    ]);
    const odd = Object.fromEntries(entries.map((entry) => [name(entry), entry.warnings]));
    expect(odd).toMatchObject({
      ...{ "vfr.mp4": ["variable rate"], "rotated_90.mp4": ["rotated"], "interlaced_tff.mp4": ["interlaced"] },
      ...{ "two_video_streams.mkv": ["several video streams"], "sar_2x1.mp4": ["non-square pixels"] },
      ...{ "one_frame.mp4": ["shorter than a clip"], "full_range.mp4": [] },
    });
  },
  120_000,
);
