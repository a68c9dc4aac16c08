// Kills runs at random moments with SIGKILL and starts them again until they end. However often a run was killed, and
// whatever it was doing, its checkpoints and the numbers of its log must be those of a run that was never killed.
//
//   npm run build:examples && node test/train/kill-campaign.mjs [kills, default 100] [seed, default by the clock]
//
// `videomae pretrain` and `videomae finetune` train `vit-tiny` on encoded clips and broken files, in turn with and without
// accumulation, loader threads, averaged weights and a log line for every update. Half the kills wait for a save and strike while its temporary file exists, the
// others strike at any time from the start of the process on. Prints JSON.
import { spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, watch, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { openCheckpoint } from "#lib/io/checkpoint.js";
import { bestCheckpointPath, latestCheckpoint, listCheckpoints } from "#lib/io/checkpoint-folder.js";
import { readJsonl } from "#lib/log/jsonl.js";
import { RandomStream } from "#lib/random.js";

const main = path.resolve(import.meta.dirname, "../../dist/cli/main.js");
const updates = 60;
const pretraining = { command: "pretrain", "--stride": 2, "--mask-ratio": 0.75, "--lr": 0.2 };
const finetuning = {
  ...{ command: "finetune", "--frames": 8, "--image": 32, "--stride": 2, "--lr": 0.05, "--head-init-scale": 1 },
  ...{ "--ema-decay": 0.9, "--validate-epochs": 2 },
};
const kinds = {
  plain: { ...pretraining, "--workers": 2, "--log-every": 1 },
  "fine-tuning": { ...finetuning, "--workers": 2, "--views": 1, "--accumulate": 2, "--log-every": 1 },
  accumulating: { ...pretraining, "--workers": 2, "--accumulate": 3, "--log-every": 7 },
  "without threads": { ...pretraining, "--workers": 0, "--views": 2, "--log-every": 1, "--keep": 1 },
};

/** A list of good clips and of files that cannot be read, in two classes. */
function makeList(folder, clips) {
  cpSync(clips, path.join(folder, "clips"), { recursive: true });
  const good = readdirSync(path.join(folder, "clips")).filter((name) => name.endsWith(".mp4"));
  const whole = readFileSync(path.join(folder, "clips", good[0]));
  writeFileSync(path.join(folder, "clips/cut.mp4"), whole.subarray(0, whole.length >> 1));
  writeFileSync(path.join(folder, "clips/empty.mp4"), "");
  const list = path.join(folder, "list.csv");
  const lines = [...good, "cut.mp4", "empty.mp4", "missing.mp4"].map((name, i) => `clips/${name} ${i % 2}`);
  writeFileSync(list, lines.join("\n"));
  return list;
}

function start(list, out, kind) {
  const { command, ...own } = kinds[kind];
  const options = {
    ...{ "--model": "vit-tiny", "--batch-size": 2, "--steps": updates, "--save-every": 2, "--threads": 1 },
    ...{ "--warmup-steps": 5, "--drop-path": 0.2, "--clip-norm": 1, ...own, "--out": out },
    ...(command === "finetune" && { "--validation": list }),
  };
  const args = [command, list, ...Object.entries(options).flat().map(String)];
  const child = spawn(process.execPath, [main, ...args], { stdio: ["ignore", "ignore", "pipe"] });
  const run = { child, started: false, stderr: "" };
  child.stderr.on("data", (data) => {
    run.stderr += data;
    run.started ||= run.stderr.includes(" updates");
  });
  run.ended = new Promise((resolve) => child.on("exit", (status, signal) => resolve({ status, signal })));
  return run;
}

const temporaries = (out) => readdirSync(out).filter((name) => name.endsWith(".tmp"));

/** Kills a process while its `number`-th save from now is under way, at the latest when it ends. */
async function killInSave(run, out, number, stream) {
  const seen = new Set();
  const watcher = watch(out, (_, name) => {
    if (!/^\.checkpoint-\d+\..*\.tmp$/.test(name ?? "")) return;
    seen.add(name);
    if (seen.size >= number) setTimeout(() => run.child.kill("SIGKILL"), 3 * stream.uniform());
  });
  const end = await run.ended;
  watcher.close();
  return end;
}

async function killInTime(run, milliseconds) {
  const waiting = new AbortController();
  sleep(milliseconds, undefined, { signal: waiting.signal }).then(
    () => run.child.kill("SIGKILL"),
    () => {},
  );
  const end = await run.ended;
  waiting.abort();
  return end;
}

/** What a run leaves that must not depend on kills. */
function resultOf(out) {
  const checkpoint = openCheckpoint(latestCheckpoint(out).path);
  const best = openCheckpoint(bestCheckpointPath(out));
  const { config: _config, logBytes: _logBytes, data, ...state } = checkpoint.state;
  const parts = ["model", "expAvg", "expAvgSq", "average"].filter((part) => checkpoint.names(part).length > 0);
  const tensors = parts.flatMap((part) =>
    checkpoint.names(part).map((name) => {
      const { shape, data: values } = checkpoint.read(part, name);
      return [part, name, shape, Buffer.from(values.buffer).toString("base64")];
    }),
  );
  const records = readJsonl(path.join(out, "log.jsonl"));
  const lines = records.filter(({ event }) => event === undefined).map(({ waitedMs: _, ...numbers }) => numbers);
  const bad = records.filter(({ event }) => event === "bad file").map(({ where, reason }) => `${where}: ${reason}`);
  checkpoint.close();
  best.close();
  return {
    state,
    data: { ...data },
    tensors,
    lines,
    bad: bad.sort(),
    checkpoints: listCheckpoints(out).map(({ step }) => step),
    best: best.state.step,
    leftovers: temporaries(out),
  };
}

/** Trains with kills until the run ends; returns what the kills hit. */
async function killedRun(list, out, kind, most, stream, startMs) {
  const hits = { starting: 0, training: 0, saving: 0 };
  mkdirSync(out);
  for (let kills = 0; ; ) {
    const run = start(list, out, kind);
    if (kills >= most) {
      const { status } = await run.ended;
      if (status !== 0 || run.stderr.includes("not resumed from")) {
        throw new Error(`the last process ended with ${status}: ${run.stderr}`);
      }
      return hits;
    }
    const inSave = stream.uniform() < 0.5;
    const { status, signal } = inSave
      ? await killInSave(run, out, 1 + stream.integer(5), stream)
      : await killInTime(run, 2.5 * startMs * stream.uniform());
    if (signal === null && status === 0) return hits;
    if (run.stderr.includes("not resumed from")) throw new Error(`a kill damaged a checkpoint: ${run.stderr}`);
    if (signal !== "SIGKILL") throw new Error(`a process ended with ${status ?? signal}: ${run.stderr}`);
    kills++;
    const moment = temporaries(out).length > 0 ? "saving" : run.started ? "training" : "starting";
    hits[moment]++;
  }
}

async function campaign(kills, seed, clips, folder) {
  const list = makeList(folder, clips);
  const stream = new RandomStream(seed, "kills");
  const references = {};
  const report = { seed, kills: 0, runs: 0, hits: { starting: 0, training: 0, saving: 0 }, differing: [] };
  for (let number = 0; report.kills < kills; number++) {
    const kind = Object.keys(kinds)[number % Object.keys(kinds).length];
    if (references[kind] === undefined) {
      const out = path.join(folder, `whole-${number}`);
      const began = performance.now();
      await killedRun(list, out, kind, 0);
      references[kind] = { result: resultOf(out), ms: performance.now() - began };
    }
    const out = path.join(folder, `killed-${number}`);
    const hits = await killedRun(list, out, kind, kills - report.kills, stream, references[kind].ms / 2);
    for (const [moment, count] of Object.entries(hits)) {
      report.hits[moment] += count;
      report.kills += count;
    }
    report.runs++;
    const [want, got] = [references[kind].result, resultOf(out)];
    const fields = Object.keys(want).filter((field) => JSON.stringify(want[field]) !== JSON.stringify(got[field]));
    if (fields.length > 0) report.differing.push({ run: number, kind, hits, fields });
    else rmSync(out, { recursive: true });
  }
  return report;
}

const kills = Number(process.argv[2] ?? 100);
const seed = Number(process.argv[3] ?? Date.now() % 2 ** 31);
const folder = mkdtempSync(path.join(tmpdir(), "videomae-kills-"));
try {
  let clips = process.argv[4];
  if (clips === undefined) {
    clips = path.join(folder, "made");
    const { makeClips } = await import("../../build/examples/make-clips.js");
    await makeClips(clips, { count: 8, frames: 20 });
  }
  console.log(JSON.stringify(await campaign(kills, seed, clips, folder)));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
