import { existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseLine } from "#lib/data/list-line.js";
import { pictureName, readSources } from "#lib/data/lists.js";
import { sourcePath } from "#lib/data/source.js";
import { VideomaeError } from "#lib/errors.js";
import { haveShared, sharedFolder } from "../fixtures.js";
import { temporaryFolder } from "../temporary-folder.js";

const lineOptions = { template: "img_{:05}.jpg", resolvePath: (path: string) => `/r/${path}` };
const parse = (line: string) => parseLine(line, "l.csv:7", lineOptions);
const labelled = (label?: number) => (label === undefined ? {} : { label });
const video = (path: string, label?: number) => ({
  ...{ kind: "video", path: `/r/${path}`, where: "l.csv:7" },
  ...labelled(label),
});
const frames = (folder: string, start: number, total: number, label?: number) => ({
  ...{ kind: "frames", folder: `/r/${folder}`, start, total },
  ...{ template: "img_{:05}.jpg", where: "l.csv:7" },
  ...labelled(label),
});

describe("a line", () => {
  it.each([
    ["a/b.mp4", video("a/b.mp4")],
    ["a/b.mp4 3", video("a/b.mp4", 3)],
    ["a/b.mp4 -1", video("a/b.mp4")],
    ["a/b.mp4 0 -1", video("a/b.mp4")],
    ["a/b.mp4 0 -1 12", video("a/b.mp4", 12)],
    ["a/b.mp4\t0\t-1", video("a/b.mp4")],
    ["folder 1 32", frames("folder", 1, 32)],
    ["folder 1 32 5", frames("folder", 1, 32, 5)],
    ["folder 0 32", frames("folder", 0, 32)],
    ["clips.mp4/frames 1 32", frames("clips.mp4/frames", 1, 32)],
    ["my clip.mp4 0 -1", video("my clip.mp4")],
    ["my clip.mp4", video("my clip.mp4")],
    ["my  two spaces.mp4 4", video("my  two spaces.mp4", 4)],
    ["take 3 0 -1", video("take 3")],
    ["take 3 0 -1 9", video("take 3", 9)],
    ['"take 3" 1 32', frames("take 3", 1, 32)],
    ['"no extension"', video("no extension")],
    ['"q.mp4" 0 -1', video("q.mp4")],
    ["ünï 名.mp4 0 -1", video("ünï 名.mp4")],
  ])("%s", (line, expected) => {
    expect(parse(line)).toEqual(expected);
  });

  it.each([
    ["0 -1", /without a path/],
    ["a.mp4 0 -1 2 3", /4 numbers/],
    ["folder 1 0", /total of 0 frames/],
    ["folder -2 5", /first picture of -2/],
    ["a.mp4,3", /spaces, not commas/],
    ["some words", /double quotes/],
    ["notes.txt", /name ends in/],
    ['"a.mp4 0 -1', /quote/],
    ['"a.mp4" x', /"x" after the path/],
    ['""', /without a path/],
    ["a\0b", /binary data/],
    ["folder 1 99999999999999999999", /the number 100000000000000000000/],
  ])("is refused: %s", (line, message) => {
    expect(() => parse(line)).toThrow(message);
    expect(() => parse(line)).toThrow(/^l\.csv:7: expected "path", /);
  });
});

describe("a line of a classification list", () => {
  const classified = (line: string, startIndex?: number) =>
    parseLine(line, "l.csv:7", { ...lineOptions, pictures: "total-label", startIndex });

  it("ends in total and label", () => {
    expect(classified("folder 48 2")).toEqual(frames("folder", 1, 48, 2));
    expect(classified("folder 48 2", 0)).toEqual(frames("folder", 0, 48, 2));
    expect(classified("folder 48 -1")).toEqual(frames("folder", 1, 48));
    expect(classified("folder 3 48 2")).toEqual(frames("folder", 3, 48, 2));
    expect(classified("a.mp4 2")).toEqual(video("a.mp4", 2));
    expect(classified("a.mp4 0 -1 2")).toEqual(video("a.mp4", 2));
  });
});

it("a line of a million spaces or numbers is read in no time", () => {
  const wide = `a${" ".repeat(1_000_000)}b.mp4 0 -1`;
  expect(parse(wide)).toMatchObject({ kind: "video" });
  expect(() => parse(`a${" 1".repeat(500_000)}`)).not.toThrow(RangeError);
  expect(() => parse(`x${" -1".repeat(300_000)} y`)).toThrow(/expected "path"/);
});

describe("readSources", () => {
  const folder = temporaryFolder();
  const file = (name: string, text = "x") => {
    const path = join(folder, name);
    mkdirSync(join(path, ".."), { recursive: true });
    writeFileSync(path, text);
    return path;
  };

  it("reads a list with a BOM, Windows newlines, comments and blank lines, and names lines", () => {
    file("one/a.mp4");
    const list = file("one/l.csv", "\uFEFF# clips\r\n\r\na.mp4 0 -1\r\n/abs/b.mp4 1\r\nmissing 1 20\r\n");
    expect(readSources(list)).toEqual([
      { kind: "video", path: join(folder, "one/a.mp4"), where: `${list}:3` },
      { kind: "video", path: "/abs/b.mp4", where: `${list}:4`, label: 1 },
      { ...frames("", 1, 20), folder: join(folder, "one/missing"), where: `${list}:5` },
    ]);
  });

  it("names the file and line of a bad line", () => {
    const list = file("bad/l.csv", "a.mp4\nfolder 1 0\n");
    expect(() => readSources(list)).toThrow(`${list}:2: expected`);
  });

  it("asks for root when nothing of the list is there", () => {
    const list = file("far/l.csv", "x/a.mp4 0 -1\nx/b.mp4 0 -1\n");
    expect(() => readSources(list)).toThrow(/far\/x\/a\.mp4.*--root/);
    expect(() => readSources(list, { root: "/nowhere" })).toThrow(/start from \/nowhere; is root/);
  });

  it("refuses an empty list, a missing path, and a bad template", () => {
    expect(() => readSources(file("empty.csv", "\n# none\n"))).toThrow(/an empty list/);
    expect(() => readSources(join(folder, "none.csv"))).toThrow(/nothing there/);
    expect(() => readSources(file("t.csv", "a.mp4"), { framesTemplate: "img.jpg" })).toThrow(
      /framesTemplate.*one field/,
    );
    expect(() => readSources(file("w.csv", "a.mp4"), { framesTemplate: "{:09999999999}.jpg" })).toThrow(/one field/);
    expect(() => readSources("/dev/null")).toThrow(/something not a file/);
    expect(() => readSources("a\0b")).toThrow(VideomaeError);
  });

  it("searches a folder in the order of bytes, through links but not in circles", () => {
    for (const name of ["v/b.mp4", "v/B.MKV", "v/a/z.webm", "v/a-.avi", "v/.hidden.mp4", "v/notes.txt", "v/é.mov"])
      file(name);
    symlinkSync(join(folder, "v"), join(folder, "v/a/loop"));
    const names = readSources(join(folder, "v")).map((source) => source.where.slice(folder.length + 3));
    expect(names).toEqual(["B.MKV", "a-.avi", "a/z.webm", "b.mp4", "é.mov"]);
  });

  it("says what it found instead of videos", () => {
    file("p/img_00001.jpg");
    expect(() => readSources(join(folder, "p"))).toThrow(/none, but 1 pictures.*folder start total/);
  });

  it("takes one video", () => {
    expect(readSources(file("single.mp4"))).toHaveLength(1);
  });

  it.skipIf(!haveShared)("reads the official forms", () => {
    const root = join(sharedFolder, "data");
    const sources = readSources(join(root, "lists/pretrain_hybrid.csv"), { root });
    expect(new Set(sources.map((source) => source.kind))).toEqual(new Set(["video", "frames"]));
    const signs = readSources(join(root, "lists/asl20.csv"), { root });
    expect(signs.map(({ label }) => label)).toEqual(Array.from({ length: 20 }, (_, i) => i));
    for (const list of ["actions_train", "actions_val", "motion_train", "motion_val", "motion_pool_labelled"]) {
      const sources = readSources(join(root, `lists/${list}.csv`), { root });
      expect(sources.every(({ kind, label }) => kind === "video" && label !== undefined)).toBe(true);
      expect(sources.every((source) => existsSync(sourcePath(source)))).toBe(true);
    }
    const pool = readSources(join(root, "lists/motion_pool.csv"), { root });
    expect(pool.every(({ kind, label }) => kind === "video" && label === undefined)).toBe(true);
    const [juggling] = readSources(join(root, "lists/rawframes_cls.csv"), { root, pictures: "total-label" });
    expect(juggling).toMatchObject({ kind: "frames", start: 1, total: 48, label: 2 });
  });
});

describe("pictureName", () => {
  it.each([
    ["img_{:05}.jpg", 7, "img_00007.jpg"],
    ["image_{:06d}.png", 1234567, "image_1234567.png"],
    ["{}.jpg", 3, "3.jpg"],
    ["f{:3}.jpg", 3, "f  3.jpg"],
  ])("%s", (template, number, name) => {
    expect(pictureName(template, number)).toBe(name);
  });
});
