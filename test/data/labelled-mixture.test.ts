// What a classifier learns from: classes of one list, of folders, and of mixtures; and names that a mirror image changes.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { directionSensitive } from "#lib/data/direction-words.js";
import { readLabelledMixture } from "#lib/data/labelled-mixture.js";
import { temporaryFolder } from "../temporary-folder.js";

const folder = temporaryFolder();
const at = (name: string) => join(folder, name);
const list = (name: string, lines: readonly string[]) => writeFileSync(at(name), lines.join("\n"));

beforeAll(() => {
  for (const set of ["a", "b", "c"]) {
    for (const name of set === "c" ? ["run", "swim"] : ["jump", "run"]) {
      mkdirSync(at(`${set}/${name}`), { recursive: true });
      writeFileSync(at(`${set}/${name}/0.mp4`), "");
    }
  }
  list("two.csv", ["a/jump/0.mp4 0", "a/run/0.mp4 1"]);
  list("three.csv", ["b/jump/0.mp4 0", "b/run/0.mp4 1", "c/swim/0.mp4 2"]);
  list("gap.csv", ["a/jump/0.mp4 0", "a/run/0.mp4 2"]);
  list("pretrain.csv", ["a/jump/0.mp4 0 -1"]);
  list("mixed.csv", ["a/jump/0.mp4 0", "a/run/0.mp4"]);
});

const labels = (spec: Parameters<typeof readLabelledMixture>[0], options = {}) =>
  readLabelledMixture(spec, options).sources.map(({ label }) => label);

describe("classes", () => {
  it("are counted in a list, and in all lists of a mixture", () => {
    expect(readLabelledMixture(at("two.csv"))).toMatchObject({ classes: ["0", "1"], named: false });
    const both = readLabelledMixture([at("two.csv"), at("three.csv")]);
    expect(both.classes).toEqual(["0", "1", "2"]);
    expect(both.parts.map(({ count, share }) => [count, share])).toEqual([
      [2, 0.4],
      [3, 0.6],
    ]);
  });

  it("are the sub-folders, which the folders of a mixture share", () => {
    expect(readLabelledMixture([at("a"), at("b")])).toMatchObject({ classes: ["jump", "run"], named: true });
    expect(labels([at("a"), at("b")])).toEqual([0, 1, 0, 1]);
    expect(() => readLabelledMixture([at("a"), at("c")])).toThrow(
      /c: expected the classes of .*a; got none called "jump".*--classes/,
    );
    expect(() => readLabelledMixture([at("a"), at("two.csv")])).toThrow(/two\.csv: expected the classes of .*a;/);
  });

  it("have the numbers that names give them", () => {
    const classes = ["swim", "run", "jump"];
    expect(labels([at("a"), at("c")], { classes })).toEqual([2, 1, 1, 0]);
    expect(readLabelledMixture(at("three.csv"), { classes }).classes).toEqual(classes);
  });
});

describe("what is wrong", () => {
  it.each([
    ["two.csv", { classes: ["only"] }, /two\.csv:2: expected a class from 0 to 0, as there are 1 names; got 1/],
    ["gap.csv", {}, /expected clips of every class; got none of 1 \("1"\)/],
    ["two.csv", { classes: ["a", "b", "c"] }, /expected clips of every class; got none of 2 \("c"\)/],
    ["pretrain.csv", {}, /pretrain\.csv:1: expected a class number at the end of the line.*got none/],
    ["mixed.csv", {}, /mixed\.csv:2: expected a class number .*got none, while .*mixed\.csv:1 has one/],
    ["a", { classes: ["jump", "ran"] }, /a\/run: expected one of the 2 classes; got "run".*did you mean "ran"/],
  ])("%s with %o", (name, options, message) => {
    expect(() => readLabelledMixture(at(name), options)).toThrow(message);
  });

  it("is a class that only an excluded clip is of", () => {
    list("bad.txt", [at("a/run/0.mp4")]);
    expect(() => readLabelledMixture(at("two.csv"), { exclude: at("bad.txt") })).toThrow(/none of 1 \("1"\)/);
  });
});

it("tells the classes that a mirror image changes", () => {
  const classes = [
    "Pulling something from left to right",
    "clockwise",
    "counterclockwise",
    "turn_left",
    "up",
    "leftover",
  ];
  expect(directionSensitive(classes)).toEqual(classes.slice(0, 4));
  expect(directionSensitive(["anti-clockwise", "wave", "upright"])).toEqual(["anti-clockwise"]);
});
