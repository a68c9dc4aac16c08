// A run, and what is asked of it and of its data, by the functions of the package: decoding in worker threads, a survey in
// processes of its own, and features that another thread computes.
import { features, memory, pretrain, readJsonl, survey } from "videomae";

const data = "clips/list.txt";
const { entries } = await survey(data, {
  ...{ frames: 8, stride: 1, thorough: true, decoder: "auto", workers: 1, timeout: 60 },
  pictures: "start-total",
});
if (entries.length !== 2 || !entries.every(({ probed }) => probed.good)) throw new Error(JSON.stringify(entries));

await pretrain({ data, out: "script", model: "vit-tiny", stride: 1, batchSize: 2, steps: 3, workers: 1 });
const steps = readJsonl("script/log.jsonl").filter(({ loss }) => Number.isFinite(loss));
if (steps.length === 0) throw new Error("no step was logged");

const clip = { data: new Uint8Array(8 * 40 * 40 * 3).fill(90), shape: [8, 40, 40, 3] };
const { values } = await features(clip, { weights: "script" });
if (!values.every(Number.isFinite)) throw new Error("the features are not finite");
console.log(
  `${entries.length} clips, ${steps.length} logged steps, ${values.length} features; ${memory().leaked} leaks`,
);
