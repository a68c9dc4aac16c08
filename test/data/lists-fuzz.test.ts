// Mutated lists, mixture files and lists of exclusions are read or refused; nothing else may happen.
// VIDEOMAE_FUZZ=10000 sets how many of each.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { readExclusions } from "#lib/data/exclusions.js";
import { readSources } from "#lib/data/lists.js";
import { readMixture } from "#lib/data/mixture.js";
import type { Source } from "#lib/data/source.js";
import { VideomaeError } from "#lib/errors.js";
import { RandomStream } from "#lib/random.js";
import { temporaryFolder } from "../temporary-folder.js";

const rounds = Number(process.env.VIDEOMAE_FUZZ ?? 500);
const folder = temporaryFolder();
for (const name of ["a.mp4", "b c.mkv", "frames/img_00001.jpg"]) {
  mkdirSync(join(folder, name, ".."), { recursive: true });
  writeFileSync(join(folder, name), "x");
}

const list = [
  ...["a.mp4", "a.mp4 3", "b c.mkv 0 -1", '"b c.mkv" 0 -1 12', "frames 1 32", "frames 1 32 5", "/abs/x.webm 7"],
  ...["# a comment", "", "ünï 名.mp4 0 -1", "take 3 0 -1 9", "a.mp4\t0\t-1\r", "frames 48 2"],
].join("\n");
const mixture = JSON.stringify([
  { path: "list.csv", weight: 2, stride: 2, name: "a" },
  { path: "a.mp4", weight: 0.5, root: ".", framesTemplate: "img_{:05}.jpg", pictures: "total-label", startIndex: 0 },
]);
const exclusions = [
  `${folder}/a.mp4`,
  JSON.stringify({ path: "/b.mp4", reason: "x" }),
  '{"path":"/f","start":1,"total":9}',
].join("\n");

const pieces = [
  '"',
  " ",
  "  ",
  "\n",
  "\r",
  "\0",
  "-1",
  "0",
  "99999999999999999999",
  "1e9",
  "\uFEFF",
  "\u2028",
  ".mp4",
  ",",
  "../",
  "/",
  "{",
  "[",
  "__proto__",
  "null",
  "𝕏",
  "\t",
];

/** A text with up to eight changes: bytes changed, pieces put in, stretches cut, doubled or moved. */
function mutate(text: string, stream: RandomStream): Buffer {
  let bytes = Buffer.from(text);
  for (let changes = 1 + stream.integer(8); changes > 0 && bytes.length > 0; changes--) {
    const at = stream.integer(bytes.length);
    const until = Math.min(bytes.length, at + 1 + stream.integer(20));
    const [before, stretch, after] = [bytes.subarray(0, at), bytes.subarray(at, until), bytes.subarray(until)];
    const piece = Buffer.from(pieces[stream.integer(pieces.length)]);
    const kind = stream.integer(6);
    if (kind === 0) bytes = Buffer.concat([before, Buffer.from([stream.integer(256)]), bytes.subarray(at + 1)]);
    else if (kind === 1) bytes = Buffer.concat([before, piece, stretch, after]);
    else if (kind === 2) bytes = Buffer.concat([before, after]);
    else if (kind === 3) bytes = Buffer.concat([before, stretch, stretch, after]);
    else if (kind === 4) bytes = Buffer.concat([stretch, before, after]);
    else bytes = Buffer.concat([before, ...new Array<Buffer>(1 + stream.integer(200)).fill(piece), stretch, after]);
  }
  return bytes;
}

const values = [
  0,
  -1,
  1,
  0.5,
  1e300,
  true,
  null,
  [],
  {},
  "",
  "a.mp4",
  "start-total",
  "../",
  [["a.mp4"]],
  { path: "a.mp4" },
];

/** A mixture with up to three fields set to values of any kind. */
function mutateFields(stream: RandomStream): string {
  const sources = JSON.parse(mixture) as Record<string, unknown>[];
  for (let changes = 1 + stream.integer(3); changes > 0; changes--) {
    const source = sources[stream.integer(sources.length)];
    const keys = [...Object.keys(source), "wieght", "__proto__"];
    source[keys[stream.integer(keys.length)]] = values[stream.integer(values.length)];
  }
  return JSON.stringify(sources);
}

function readOrRefused<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof VideomaeError)) throw error;
    expect(error.message.length).toBeLessThan(20_000); // it may hold a path
    return undefined;
  }
}

function expectSound(source: Source): void {
  for (const number of [source.kind === "frames" ? source.start : 0, source.label ?? 0]) {
    expect(Number.isSafeInteger(number) && number >= 0).toBe(true);
  }
  if (source.kind === "frames") expect(Number.isSafeInteger(source.total) && source.total > 0).toBe(true);
  expect(source.where).toMatch(/\S/);
}

it.each(["list", "mixture", "exclusions"])(
  `${rounds} mutations: %s`,
  (kind) => {
    writeFileSync(join(folder, "list.csv"), list);
    const path = join(folder, { list: "mutated.csv", mixture: "mutated.json", exclusions: "mutated.jsonl" }[kind]!);
    let read = 0;
    for (let round = 0; round < rounds; round++) {
      const stream = new RandomStream(round, `test.${kind}`);
      const fields = kind === "mixture" && stream.integer(2) === 0;
      writeFileSync(path, fields ? mutateFields(stream) : mutate({ list, mixture, exclusions }[kind]!, stream));
      if (kind === "exclusions") {
        if (readOrRefused(() => readExclusions(path))) read++;
        continue;
      }
      const pictures = stream.integer(2) === 0 ? "start-total" : "total-label";
      const sources = readOrRefused(() =>
        kind === "list" ? readSources(path, { pictures }) : readMixture(path).sources,
      );
      if (sources === undefined) continue;
      read++;
      for (const source of sources) expectSound(source);
    }
    // Some must get through, or nothing but the first check was tried; and some must not.
    expect(read).toBeGreaterThan(rounds / 50);
    expect(read).toBeLessThan(rounds);
  },
  600_000,
);
