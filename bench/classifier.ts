// The time of the classifier's forward pass (lib/bench/classifier.ts), in a process of its own.
//
//   npm run bench:classifier -- --model vit-base --batch 1 --dtype bf16
//
// The model is what peers/classifier.py has. Prints one row (lib/bench/row.ts).
import { parseArgs } from "node:util";
import { threads, VideomaeError } from "videomae";
import { measureClassifier } from "#lib/bench/classifier.js";
import { runCommand } from "./command.js";

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
  const { model, dtype } = values;
  if (dtype !== "f32" && dtype !== "bf16") throw refuse("dtype", "f32 or bf16", dtype);
  const round = values.round ? Number(values.round) : undefined;
  const repeats = values.quick ? { seconds: 0, least: 5, most: 5 } : { seconds: 3, least: 10, most: 100 };
  const work = { device: "cpu", dtype, round, tiny: values.quick, model, clips } as const;
  console.log(JSON.stringify(measureClassifier(work, repeats)));
});
