// Opens mutated files of one format and reads all of their tensors, in a process of its own, so that a crash, a hang or
// memory without bound is seen. A mutant is a function of (seed, number); what goes wrong is printed with its number.
//
//   node test/io/mutate-weights.mjs <folder of whole files> <count> <seed> [<number of one mutant>]
//
// A folder in it is a model in several files, of which one or the index is mutated. Prints one JSON row; `altered` counts
// files that load with other numbers than the whole file, which formats without checksums cannot notice.
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { VideomaeError } from "../../dist/errors.js";
import { readTensor } from "../../dist/io/tensor-file.js";
import { openWeights } from "../../dist/io/weights.js";
import { RandomStream } from "../../dist/random.js";

const [folder, count, seed, only] = [process.argv[2], ...process.argv.slice(3).map(Number)];
const work = mkdtempSync(join(tmpdir(), "videomae-mutated-"));

const wildBytes = [0x00, 0xff, 0x7f, 0x80, 0x28, 0x2e, 0x52, 0x63, 0x71, 0x8a, 0x94];
const wildWords = [0n, 1n, 0x7fffffffn, 0x80000000n, 0xffffffffn, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n];
const wildTexts = [
  "0",
  "-1",
  "1.5",
  "1e308",
  "9007199254740993",
  "null",
  '"x"',
  "[]",
  "{}",
  '"__proto__"',
  "..",
  "\\u0000",
];

/** Where in a file: anywhere, or near one of its ends, where headers and directories lie. */
function place(bytes, stream) {
  const reach = Math.min(bytes.length, 1 + stream.integer([64, 512, bytes.length][stream.integer(3)] + 1));
  return stream.uniform() < 0.5 ? reach - 1 : bytes.length - reach;
}

const mutations = [
  function flip(bytes, stream) {
    for (let i = stream.integer(6); i >= 0; i--) bytes[place(bytes, stream)] ^= 1 << stream.integer(8);
    return bytes;
  },
  function overwrite(bytes, stream) {
    for (let i = stream.integer(3); i >= 0; i--) bytes[place(bytes, stream)] = pick(wildBytes, stream);
    return bytes;
  },
  function word(bytes, stream) {
    const value = Buffer.alloc(8);
    value.writeBigUInt64LE(pick(wildWords, stream));
    value.copy(bytes, place(bytes, stream), 0, pick([2, 4, 8], stream));
    return bytes;
  },
  function cut(bytes, stream) {
    return bytes.subarray(0, place(bytes, stream));
  },
  function lengthen(bytes, stream) {
    return Buffer.concat([bytes, Buffer.alloc(1 + stream.integer(64), stream.integer(256))]);
  },
  function lose(bytes, stream) {
    const at = place(bytes, stream);
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + stream.integer(40))]);
  },
  function repeat(bytes, stream) {
    const at = place(bytes, stream);
    const part = bytes.subarray(at, at + 1 + stream.integer(200));
    return Buffer.concat([
      bytes.subarray(0, at),
      ...Array.from({ length: 1 + stream.integer(30) }, () => part),
      bytes.subarray(at),
    ]);
  },
  function splice(bytes, stream) {
    const [to, from] = [place(bytes, stream), place(bytes, stream)];
    bytes.copyWithin(to, from, from + 1 + stream.integer(100));
    return bytes;
  },
  function number(bytes, stream) {
    const found = [...bytes.toString("latin1").matchAll(/\d+|"[^"]{1,40}"/g)];
    if (found.length === 0) return bytes;
    const { index, 0: text } = pick(found, stream);
    return Buffer.concat([
      bytes.subarray(0, index),
      Buffer.from(pick(wildTexts, stream)),
      bytes.subarray(index + text.length),
    ]);
  },
];

function pick(list, stream) {
  return list[stream.integer(list.length)];
}

/** All numbers of a file, as one text. */
async function content(path) {
  const weights = await openWeights(path);
  try {
    return weights.names
      .map((name) => `${name} ${Buffer.from(readTensor(weights, name).buffer).toString("base64")}`)
      .join("\n");
  } finally {
    weights.close();
  }
}

const wholes = readdirSync(folder).sort();
const expected = new Map();
for (const name of wholes) expected.set(name, await content(join(folder, name)));

/** Makes mutant `i` and returns its path. */
function makeMutant(i) {
  const stream = new RandomStream(seed, "mutant", [i]);
  const name = pick(wholes, stream);
  const path = join(work, name);
  rmSync(path, { recursive: true, force: true });
  cpSync(join(folder, name), path, { recursive: true });
  const file = statSync(path).isDirectory() ? join(path, pick(readdirSync(path).sort(), stream)) : path;
  let bytes = readFileSync(file);
  for (let times = pick([1, 1, 1, 2, 4], stream); times > 0 && bytes.length > 0; times--) {
    bytes = Buffer.from(pick(mutations, stream)(Buffer.from(bytes), stream));
  }
  writeFileSync(file, bytes);
  return { name, path };
}

const row = { mutants: 0, refused: 0, loaded: 0, altered: 0, slowest_ms: 0, failures: [] };
const resident = () => process.memoryUsage().rss / 2 ** 20;
let [before, highest] = [0, 0];
for (let i = only ?? 0; i < (only === undefined ? count : only + 1); i++) {
  const { name, path } = makeMutant(i);
  const from = performance.now();
  row.mutants++;
  try {
    const text = await content(path);
    row.loaded++;
    if (text !== expected.get(name)) row.altered++;
    if (only !== undefined) console.log(`${name}: loaded${text === expected.get(name) ? "" : ", with other content"}`);
  } catch (error) {
    row.refused++;
    if (only !== undefined) console.log(error);
    if (!(error instanceof VideomaeError)) row.failures.push(`${i}: ${error?.stack ?? error}`);
  }
  row.slowest_ms = Math.max(row.slowest_ms, Math.round(performance.now() - from));
  if (i === 100) before = resident(); // when the code has been compiled
  highest = Math.max(highest, resident());
}
rmSync(work, { recursive: true, force: true });
console.log(JSON.stringify({ ...row, growth_mb: Math.round(Math.max(0, highest - before)) }));
process.exitCode = row.failures.length === 0 ? 0 : 1;
