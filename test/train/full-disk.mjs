// Runs on a disk that is full for a while, that stays full, and that is read-only. Needs a disk of its own:
//
//   unshare --user --map-root-user --mount sh -c
//     'mount -t tmpfs -o size=8m tmpfs <disk> && exec node test/train/full-disk.mjs <clips> <disk>'
//
// Prints JSON: what each run said, and what it left.
import { execFileSync } from "node:child_process";
import { closeSync, openSync, readdirSync, rmSync, writeSync } from "node:fs";
import path from "node:path";
import { openCheckpoint } from "#lib/io/checkpoint.js";
import { latestCheckpoint, listCheckpoints } from "#lib/io/checkpoint-folder.js";
import { readJsonl } from "#lib/log/jsonl.js";
import { pretrain } from "#lib/train/pretrain.js";

const [clips, disk] = process.argv.slice(2);
const ballast = path.join(disk, "ballast");
const steps = 12;

/** Leaves no byte free. */
function fill() {
  const file = openSync(ballast, "w");
  for (let size = 2 ** 20; size >= 1; size >>= 1) {
    try {
      for (;;) writeSync(file, Buffer.alloc(size));
    } catch (error) {
      if (error.code !== "ENOSPC") throw error;
    }
  }
  closeSync(file);
}

/** A run that calls `at[step]` after an update. Returns what it said. */
async function run(name, at = {}) {
  const out = path.join(disk, name);
  const notes = [];
  const options = { data: clips, out, model: "vit-tiny", stride: 2, batchSize: 2, maskRatio: 0.75, steps };
  const end = await pretrain(
    { ...options, logEvery: 1, saveEvery: 2, keep: 1, workers: 0 },
    { onStep: ({ step }) => at[step]?.(), onNote: (note) => notes.push(note) },
  ).catch((error) => ({ name: error.name, message: error.message }));
  return { end, notes: notes.slice(1) };
}

/** What a run left: the steps of its whole checkpoints and of its log, and other files. */
function left(name) {
  const out = path.join(disk, name);
  const files = listCheckpoints(out);
  for (const { path: file } of files) openCheckpoint(file).close();
  return {
    checkpoints: files.map(({ step }) => step),
    log: readJsonl(path.join(out, "log.jsonl")).flatMap(({ step }) => step ?? []),
    temporaries: readdirSync(out).filter((file) => file.endsWith(".tmp")),
  };
}

function weights(name) {
  const checkpoint = openCheckpoint(latestCheckpoint(path.join(disk, name)).path);
  const all = checkpoint.names().map((parameter) => Buffer.from(checkpoint.read("model", parameter).data.buffer));
  checkpoint.close();
  return Buffer.concat(all).toString("base64");
}

const report = {};
report.whole = { ...(await run("whole")), ...left("whole") };
const expected = weights("whole");
rmSync(path.join(disk, "whole"), { recursive: true });

report.forAWhile = { ...(await run("a-while", { 3: fill, 7: () => rmSync(ballast) })), ...left("a-while") };
report.forAWhile.same = weights("a-while") === expected;
rmSync(path.join(disk, "a-while"), { recursive: true });

report.forGood = { ...(await run("for-good", { 3: fill })), ...left("for-good") };
rmSync(ballast);
report.resumed = { ...(await run("for-good")), ...left("for-good") };
report.resumed.same = weights("for-good") === expected;

execFileSync("mount", ["-o", "remount,ro", disk]);
report.readOnly = await run("read-only");
report.readOnlyResumed = await run("for-good");
console.log(JSON.stringify(report));
