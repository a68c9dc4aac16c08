// The time and memory of one dual-masked training step (lib/bench/step.ts), in a process of its own.
//
//   npm run bench:step -- --model vit-small --batch 2 --steps 10 --dtype bf16
//   npm run bench:step -- --model vit-base --batch 32 --device cuda --dtype bf16
//
// The step is what peers/pretrain_step.py does. Prints one row (lib/bench/row.ts) of the steps after the third, by when the
// step runs from its planned memory. Times of one machine and moment mean nothing alone: compare rows of one sitting.
import { parseArgs } from "node:util";
import { type Device, threads, VideomaeError } from "videomae";
import { measureStep } from "#lib/bench/step.js";
import { runCommand } from "./command.js";

/** A positive integer out of an option. */
function count(option: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new VideomaeError({ op: `bench:step --${option}`, expected: "a positive integer", got: text });
}

const startBytes = process.memoryUsage.rss();

await runCommand(() => {
  const { values } = parseArgs({
    options: {
      model: { type: "string", default: "vit-small" },
      batch: { type: "string", default: "2" },
      steps: { type: "string", default: "10" },
      threads: { type: "string" },
      decoder: { type: "string", default: "0.5" },
      dtype: { type: "string", default: "f32" },
      device: { type: "string", default: "cpu" },
      recompute: { type: "boolean", default: false },
      round: { type: "string" },
      quick: { type: "boolean", default: false },
    },
  });
  if (values.threads) threads(count("threads", values.threads));
  const [clips, steps] = [count("batch", values.batch), count("steps", values.steps)];
  const ratio = Number(values.decoder);
  if (!(ratio >= 0 && ratio < 1))
    throw new VideomaeError({ op: "bench:step --decoder", expected: "a ratio in [0, 1)", got: values.decoder });
  const { model, dtype, recompute } = values;
  if (dtype !== "f32" && dtype !== "bf16")
    throw new VideomaeError({ op: "bench:step --dtype", expected: "f32 or bf16", got: dtype });
  const device = values.device as Device; // making the model checks it
  const round = values.round ? Number(values.round) : undefined;
  const on = { device, dtype, round, tiny: values.quick } as const;
  const work = { ...on, model, clips, decoderMaskRatio: ratio, recompute, startBytes };
  console.log(JSON.stringify(measureStep(work, { seconds: 0, least: steps, most: steps })));
});
