// Labelled lists, class names, and the merging of data sets.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readClassNames } from "#lib/data/class-names.js";
import { readLabelledSources } from "#lib/data/labelled-sources.js";
import { mergeClasses } from "#lib/data/merge-classes.js";
import { type LabelledSet, mergeSets } from "#lib/data/merge-lists.js";
import { sourcePath } from "#lib/data/source.js";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "labels-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Writes a file below the folder; returns its path. */
function file(name: string, text = name): string {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  return path;
}

describe("class names", () => {
  it("are the lines of a file, class 0 first", () => {
    expect(readClassNames(file("names.txt", "wave\r\n golf swing \nrow\n"))).toEqual(["wave", "golf swing", "row"]);
  });

  it("are refused when one is there twice or empty", () => {
    expect(() => readClassNames(file("twice.txt", "wave\nrow\nwave\n"))).toThrow(
      /twice\.txt:3: expected every class once; got "wave", which is class 0 already/,
    );
    expect(() => readClassNames(file("gap.txt", "wave\n\nrow\n"))).toThrow(/gap\.txt:2: .*got an empty line/);
    expect(() => readClassNames(join(folder, "none.txt"))).toThrow(/none\.txt: expected a file.*got nothing there/);
  });
});

describe("labelled sources", () => {
  it("come from a list, whose classes are as many as its labels say", () => {
    for (const name of ["a.mp4", "b.mp4", "c.mp4"]) file(name);
    const { sources, classes } = readLabelledSources(file("list.csv", "a.mp4 1\nb.mp4 0\nc.mp4 1\n"));
    expect(sources.map(({ label }) => label)).toEqual([1, 0, 1]);
    expect(classes).toEqual(["0", "1"]);
  });

  it("come from sub-folders, in the order of names given or of their bytes", () => {
    for (const name of ["wave/1.mp4", "wave/deep/2.mp4", "Row/3.mp4"]) file(`set/${name}`);
    const set = join(folder, "set");
    const found = readLabelledSources(set);
    expect(found.classes).toEqual(["Row", "wave"]);
    expect(found.sources.map((source) => [sourcePath(source).slice(set.length), source.label])).toEqual([
      ["/Row/3.mp4", 0],
      ["/wave/1.mp4", 1],
      ["/wave/deep/2.mp4", 1],
    ]);
    const named = readLabelledSources(set, { classes: ["wave", "Row"] });
    expect(named.sources.map(({ label }) => label)).toEqual([1, 0, 0]);
  });

  it("name the line without a class, and the class out of range", () => {
    file("a.mp4");
    const mixed = file("mixed.csv", "a.mp4 0\na.mp4\n");
    expect(() => readLabelledSources(mixed)).toThrow(/mixed\.csv:2: .*got none, while .*mixed\.csv:1 has one/);
    const unlabelled = file("pool.csv", "a.mp4 0 -1\n");
    expect(() => readLabelledSources(unlabelled)).toThrow(/pool\.csv:1: expected a class number .*got none/);
    const list = file("list.csv", "a.mp4 0\na.mp4 2\n");
    expect(() => readLabelledSources(list, { classes: ["x", "y"] })).toThrow(
      /list\.csv:2: expected a class from 0 to 1, as there are 2 names; got 2/,
    );
    const wild = file("wild.csv", "a.mp4 0\na.mp4 4000000000\n");
    expect(() => readLabelledSources(wild)).toThrow(/wild\.csv:2: expected a class from 0 to 99999; got 4000000000/);
  });

  it("name classes without clips, unless these are allowed", () => {
    file("a.mp4");
    const list = file("list.csv", "a.mp4 0\na.mp4 2\n");
    expect(() => readLabelledSources(list)).toThrow(/list\.csv: expected clips of every class; got none of 1 \("1"\)/);
    expect(readLabelledSources(list, { allowEmptyClasses: true }).classes).toHaveLength(3);
    const many = { classes: Array.from({ length: 9 }, (_, i) => `c${i}`) };
    expect(() => readLabelledSources(list, many)).toThrow(/got none of 1 \("c1"\), 3 .* and 2 more/);
  });

  it("name a folder that is no class, stray videos, and a folder without classes", () => {
    file("set/wave/1.mp4");
    file("set/rowing/2.mp4");
    const set = join(folder, "set");
    expect(() => readLabelledSources(set, { classes: ["wave", "rowin"] })).toThrow(
      /rowing: expected one of the 2 classes; got "rowing"\. Hint: did you mean "rowin"\?/,
    );
    file("set/stray.mp4");
    expect(() => readLabelledSources(set)).toThrow(/stray\.mp4: expected videos in sub-folders/);
    mkdirSync(join(folder, "empty"));
    expect(() => readLabelledSources(join(folder, "empty"))).toThrow(/empty: expected sub-folders.*got none/);
  });
});

describe("mergeClasses", () => {
  const spaces = [
    { name: "a", classes: ["wave", "hugging", "row"] },
    { name: "b", classes: ["row", "hugging (not baby)", "Wave!"] },
  ];

  it("merges by name, in the order of first naming, with renamed classes", () => {
    const { classes, maps, nearlySame } = mergeClasses(spaces, { hugging: "hugging (not baby)" });
    expect(classes).toEqual(["wave", "hugging (not baby)", "row", "Wave!"]);
    expect(maps).toEqual([
      [0, 1, 2],
      [2, 1, 3],
    ]);
    expect(nearlySame).toEqual([["wave", "Wave!"]]);
  });

  it("turns a head of the merged classes into one of a space by its map", () => {
    const { classes, maps } = mergeClasses(spaces);
    for (const [s, map] of maps.entries()) expect(map.map((row) => classes[row])).toEqual(spaces[s].classes);
  });

  it("refuses renames of nothing, in a row, or within one space", () => {
    expect(() => mergeClasses(spaces, { hug: "row" })).toThrow(/same: "hug": .*got "hug", which is none/);
    expect(() => mergeClasses(spaces, { hugging: "row", row: "wave" })).toThrow(
      /same: "hugging": .*itself called "wave"/,
    );
    expect(() => mergeClasses(spaces, { hugging: "row" })).toThrow(/merging a: .*got "hugging" and "row", both "row"/);
  });
});

describe("mergeSets", () => {
  /** A set whose files are made; each entry is [path, label]. */
  function set(name: string, train: [string, number][], test: [string, number][], classes = ["x", "y"]): LabelledSet {
    const sources = (entries: [string, number][]) =>
      entries.map(([path, label], i) => {
        const absolute = path.startsWith("/") ? path : file(path);
        return { kind: "video" as const, path: absolute, label, where: `${name}:${i + 1}` };
      });
    return { name, classes, train: sources(train), test: sources(test) };
  }
  const names = (sources: readonly { path?: string; label: number }[]) =>
    sources.map(({ path, label }) => [path!.slice(folder.length + 1), label]);

  it("renumbers, keeps a recording once, and learns from none that is tested on", () => {
    const a = set(
      "a",
      [
        ["1.mp4", 0],
        ["2.mp4", 1],
        ["3.mp4", 1],
      ],
      [["t.mp4", 0]],
    ); // prettier-ignore
    const b = set(
      "b",
      [
        ["2.mp4", 0],
        ["t.mp4", 1],
        ["4.mp4", 1],
      ],
      [["3.mp4", 0]],
      ["y", "z"],
    ); // prettier-ignore
    const merged = mergeSets([a, b]);
    expect(merged.classes).toEqual(["x", "y", "z"]);
    expect(names(merged.test as never)).toEqual([
      ["t.mp4", 0],
      ["3.mp4", 1],
    ]); // prettier-ignore
    expect(names(merged.train as never)).toEqual([
      ["1.mp4", 0],
      ["2.mp4", 1],
      ["4.mp4", 2],
    ]); // prettier-ignore
    expect(merged.leftOut).toEqual([
      { where: "a:3", reason: "tested on in b:1" },
      { where: "b:1", reason: "the same recording as a:2" },
      { where: "b:2", reason: 'tested on in a:1, as "x" there and "z" here' },
    ]);
  });

  it("knows a recording by its link, by Kinetics' name, by name or by bytes, as asked", () => {
    const target = file("deep/real.mp4", "the bytes");
    symlinkSync(target, join(folder, "link.mp4"));
    const train: [string, number][] = [
      [join(folder, "link.mp4"), 0],
      ["k/abcdefghij-_000001_000011.mp4", 0],
      ["other/t.mkv", 1],
      [file("copy.mp4", "some bytes"), 1],
    ];
    const test: [string, number][] = [
      [target, 0],
      ["v/abcdefghij-_000050_000060.mp4", 0],
      ["t.mp4", 1],
      [file("original.mp4", "some bytes"), 1],
      [join(folder, "missing.mp4"), 1],
    ];
    const left = (identity?: ("path" | "youtube" | "name" | "content")[]) => {
      try {
        return mergeSets([set("a", train, test)], { identity }).leftOut.map(({ where }) => where);
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(left()).toEqual(["a:1", "a:2"]);
    expect(left(["name"])).toEqual(["a:3"]);
    expect(left(["content"])).toEqual(["a:1", "a:4"]);
    expect(left(["path", "youtube", "name", "content"])).toMatch(/merge: expected clips to learn from/);
  });

  it("refuses two sets of one name", () => {
    expect(() => mergeSets([set("a", [["1.mp4", 0]], []), set("a", [["1.mp4", 0]], [])])).toThrow(/got "a" twice/);
  });
});

describe("merge-lists", () => {
  it("writes lists that read back to the same sources, names and maps", async () => {
    for (const name of ["one/1.mp4", "one/2.mp4", "one/t.mp4", "two/wave/3.mp4", "two/odd 7/4.mp4"]) file(name);
    file("one/train.csv", "1.mp4 0\n2.mp4 1\nt.mp4 1\n");
    file("one/val.csv", "t.mp4 1\n");
    file("one/names.txt", "row\nodd 7\n");
    const config = file(
      "sets.yaml",
      "sets:\n  one: { classes: one/names.txt, train: one/train.csv, test: one/val.csv }\n  two: { train: two }\n",
    );
    const out = join(folder, "merged");
    const { mergeListsCommand } = await import("#lib/cli/merge-lists.js");
    await mergeListsCommand().parseAsync(["node", "merge-lists", config, "--out", out]);
    const classes = readClassNames(join(out, "classes.txt"));
    expect(classes).toEqual(["row", "odd 7", "wave"]);
    const train = readLabelledSources(join(out, "train.csv"), { classes });
    expect(names(train.sources as never)).toEqual([
      ["one/1.mp4", 0],
      ["one/2.mp4", 1],
      ["two/odd 7/4.mp4", 1],
      ["two/wave/3.mp4", 2],
    ]); // prettier-ignore
    expect(readLabelledSources(join(out, "test.csv"), { classes, allowEmptyClasses: true }).sources).toHaveLength(1);
    expect(JSON.parse(readFileSync(join(out, "map-two.json"), "utf8"))).toEqual([1, 2]);
  });
  const names = (sources: readonly { path?: string; label: number }[]) =>
    sources.map(({ path, label }) => [path!.slice(folder.length + 1), label]);

  it("tells a mistake in the file with line and column", async () => {
    const { loadMergeConfig } = await import("#lib/config/merge-config.js");
    const config = file("sets.yaml", "sets:\n  one: { train: a.csv, tset: b.csv }\n");
    expect(() => loadMergeConfig(config)).toThrow(
      /sets\.yaml:2:24 sets\.one: .*got "tset"\. Hint: did you mean "test"\?/,
    );
    expect(() => loadMergeConfig(file("none.yaml", "sets: 3\n"))).toThrow(/none\.yaml:1:1 sets: /);
  });
});
