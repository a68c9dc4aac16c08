// `videomae probe <data>`: trains a probe on the features of a frozen encoder and says how well it tells classes.
import type { Command } from "commander";
import { type ProbeRunConfig, parseProbeConfig, probeRecipes } from "../config/probe-config.js";
import { Progress } from "../log/progress.js";
import type { Accuracy } from "../models/accuracy.js";
import { probe } from "../train/probe.js";
import { interruptible } from "./interrupt.js";
import { givenOptions, trainingOptions } from "./training-options.js";

const say = (line: string) => process.stderr.write(`${line}\n`);

export function probeCommand(): Command {
  const help = {
    data: "labelled list, or folder with a sub-folder for each class",
    examples: [
      "videomae probe train.csv --weights runs/pt --validation val.csv --out runs/linear",
      "videomae probe train.csv --weights runs/pt --validation val.csv --kind attentive --out runs/attentive",
    ],
  };
  return trainingOptions(probeRecipes, help).action(async (data: string[], _options: object, command: Command) => {
    const config = parseProbeConfig(givenOptions(command, data, probeRecipes));
    await interruptible(
      (signal) => showProbe(config, signal),
      () => say("\nstopping after this update (again to stop at once)"),
    );
  });
}

async function showProbe(config: ProbeRunConfig, signal: AbortSignal): Promise<void> {
  let progress: Progress | undefined;
  try {
    const { steps, done, checkpoint, accuracy } = await probe(config, {
      signal,
      onStart: ({ start, steps }) => {
        progress = new Progress({ total: steps, start });
      },
      onStep: (step) => progress?.update({ ...step, lr: step.learningRate, badFiles: 0 }),
      onNote: say,
      onBadFile: ({ source, reason }) => say(`skipped ${source}: ${reason}`),
    });
    progress?.stop();
    say(`${done} of ${steps} updates; checkpoint ${checkpoint}`);
    for (const [set, measured] of Object.entries(accuracy)) console.log(accuracyLine(set, measured));
  } finally {
    progress?.stop();
  }
}

function accuracyLine(set: string, { clips, top1, top5 }: Accuracy): string {
  const [first, five] = [top1, top5].map((rate) => `${(100 * rate).toFixed(2)} %`);
  return `${set}: ${clips} clips, top-1 ${first}, top-5 ${five}`;
}
