// The time of the classifier's forward pass on one batch of u8 clips of noise: inference, as a predictor does it.
//
//   npm run bench:classifier -- --model vit-base --batch 1 --dtype bf16
//
// The model is what peers/classifier.py has: all tokens, mean, norm, a head of 400 classes. Prints one row (row.ts).
import { parseArgs } from "node:util";
import { classifierModel, instructionSet, noGrad, scope, Tensor, threads, VideomaeError } from "videomae";
import { modelName } from "#lib/models/sizes.js";
import { runCommand } from "./command.js";
import { origin, watchOthers } from "./machine.js";
import type { Row } from "./row.js";

/** Passes that do not count. */
const WARM_UP = 3;

await runCommand(() => {
  const { values } = parseArgs({
    options: {
      model: { type: "string", default: "vit-base" },
      batch: { type: "string", default: "1" },
      dtype: { type: "string", default: "f32" },
      threads: { type: "string" },
      round: { type: "string" },
      quick: { type: "boolean", default: false },
    },
  });
  const refuse = (option: string, expected: string, got: string) =>
    new VideomaeError({ op: `bench:classifier --${option}`, expected, got });
  if (values.threads) threads(Number(values.threads));
  const clips = Number(values.batch);
  if (!Number.isSafeInteger(clips) || clips < 1) throw refuse("batch", "a positive integer", values.batch);
  const { dtype } = values;
  if (dtype !== "f32" && dtype !== "bf16") throw refuse("dtype", "f32 or bf16", dtype);

  using model = classifierModel(values.model, { classes: 400, seed: 0, dtype });
  model.train(false).packWeights();
  const { frames, image } = model.config;
  const shape = [clips, frames, image, image, 3];
  const noise = Uint8Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => Math.imul(i, 2654435761) >>> 24);
  using video = Tensor.fromArray(noise, shape);
  const times: number[] = [];
  let others = watchOthers();
  const least = values.quick ? 5 : 10;
  for (let i = 0, total = 0; i < WARM_UP + least || (!values.quick && total < 3000 && i < 100); i++) {
    if (i === WARM_UP) others = watchOthers();
    const begun = performance.now();
    noGrad(() => scope(() => void model.forward(video)));
    if (i < WARM_UP) continue;
    times.push(performance.now() - begun);
    total += times[times.length - 1];
  }
  const otherCores = others();
  times.sort((a, b) => a - b);
  const round = (value: number) => Number(value.toPrecision(6));
  const median = times[times.length >> 1];
  const row: Row = {
    bench: "classifier",
    system: "videomae",
    device: "cpu",
    threads: threads(),
    dtype,
    pass: "forward",
    model: modelName(values.model),
    clips,
    medianMs: round(median),
    minMs: round(times[0]),
    maxMs: round(times[times.length - 1]),
    repeats: times.length,
    clipsPerSecond: round((1000 * clips) / median),
    otherCores,
    variant: { instructionSet: instructionSet() },
    ...(values.round && { round: Number(values.round) }),
    ...(values.quick && { quick: true }),
    ...origin(),
  };
  console.log(JSON.stringify(row));
});
