// The entry of the bundle for a machine with a GPU: runs the stages within a budget and leaves rows.jsonl, log.txt and
// pictures in a folder. `run.sh` unpacks the bundle and calls it.
//
//   node build/bench/gpu/run.js --out FOLDER [--budget 480] [--stages machine,peers] [--rehearse] [--spent 12]
//
// Exit status: 0 when every stage could do its work or says why this machine cannot, 1 when one failed.
import { readFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { GpuReadings } from "./gpu-readings.js";
import { completeRow } from "./measured.js";
import { Recorder } from "./recorder.js";
import { runStages } from "./stage.js";
import { stagesOf } from "./stages.js";

const { values } = parseArgs({
  options: {
    out: { type: "string" },
    budget: { type: "string", default: "480" },
    spent: { type: "string", default: "0" },
    stages: { type: "string" },
    rehearse: { type: "boolean", default: false },
  },
});
const out = path.resolve(values.out ?? "results");
const budget = Number(values.budget) - Number(values.spent);
if (!(budget > 0)) throw new Error(`--budget: expected seconds, got ${values.budget}`);

const all = stagesOf({ out, rehearse: values.rehearse });
const wanted = values.stages?.split(",") ?? all.map(({ name }) => name);
const unknown = wanted.find((name) => !all.some((stage) => stage.name === name));
if (unknown) throw new Error(`--stages: expected some of ${all.map(({ name }) => name).join(",")}; got ${unknown}`);

const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => stop.abort());

using readings = new GpuReadings();
const manifest = JSON.parse(readFileSync("manifest.json", "utf8")) as { version: string; commit: string };
process.env.VIDEOMAE_COMMIT = manifest.commit; // for rows: there is no repository here
using recorder = new Recorder(out, (row) => ({
  ...completeRow(row, readings.latest),
  at: new Date().toISOString(),
  ...(readings.latest && { gpu: readings.latest }),
}));
await Promise.race([readings.started, new Promise((resolve) => setTimeout(resolve, 5000).unref())]);
const processor = { processor: os.cpus()[0].model, cores: os.availableParallelism(), memoryBytes: os.totalmem() };
recorder.row({ bench: "run", budget, ...manifest, ...processor, kernel: os.release(), node: process.version });

const stages = all.filter(({ name }) => wanted.includes(name));
const options = { cwd: process.cwd(), signal: stop.signal, say: (line: string) => console.log(line) };
const summaries = await runStages(stages, budget, recorder, options);
process.exitCode = summaries.some(({ status }) => status === "failed") ? 1 : 0;
