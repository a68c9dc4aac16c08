// `videomae pretrain <data>`: trains with a progress bar, leaves checkpoints, a log and a loss plot.
import path from "node:path";
import type { Command } from "commander";
import type { PretrainRunConfig } from "../config/pretrain-config.js";
import { formatRecipe } from "../config/recipe-file.js";
import { readJsonl } from "../log/jsonl.js";
import { type LossPoint, writeLossPlot } from "../log/loss-plot.js";
import { Progress } from "../log/progress.js";
import { scaleLearningRate } from "../optim/schedule.js";
import { forecastMemory, memoryOf } from "../train/memory-forecast.js";
import { pretrain } from "../train/pretrain.js";
import { interruptible } from "./interrupt.js";
import { configOf, pretrainOptions } from "./pretrain-options.js";
import { bytesText } from "./values.js";

export function pretrainCommand(): Command {
  return pretrainOptions().action((data: string[], _options: object, command: Command) =>
    runPretraining(configOf(command, data)),
  );
}

async function runPretraining(config: PretrainRunConfig): Promise<void> {
  const say = (line: string) => process.stderr.write(`${line}\n`);
  const onStop = () => say("\nstopping after this update (again to stop at once)");
  await interruptible((signal) => pretrainAndShow(config, say, signal), onStop);
}

async function pretrainAndShow(
  config: PretrainRunConfig,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  let progress: Progress | undefined;
  let badFiles = 0;
  const { lines, warning } = introduce(config);
  if (warning) say(warning); // before any memory is taken
  try {
    const { steps, done, skipped, checkpoint, log, data } = await pretrain(config, {
      signal,
      onStart: ({ start, steps, clips, model }) => {
        for (const line of lines) say(line);
        const resumed = start > 0 ? `, resumed after update ${start}` : "";
        say(
          `${clips} clips, ${model.config.frames} x ${model.config.image} x ${model.config.image}, ${steps} updates${resumed}`,
        );
        progress = new Progress({ total: steps, start });
      },
      onStep: (step) => progress?.update({ ...step, lr: step.learningRate, badFiles }),
      onNote: say,
      onBadFile: ({ source, reason, bad }) => {
        badFiles = bad;
        say(`skipped ${source}: ${reason}`);
      },
    });
    progress?.stop();
    for (const { name, videos, replaced, bad } of data) {
      if (data.length === 1 && bad === 0) continue;
      say(`${name}: ${videos} videos read, ${replaced} of them in place of one of ${bad} bad files`);
    }
    if (checkpoint === "") {
      say(`stopped before the first of ${steps} updates`);
      return;
    }
    const points = lossPoints(log);
    const plot = path.join(path.dirname(log), "loss.png");
    if (points.length > 0) await writeLossPlot(plot, points, { title: "Pre-training loss" });
    const less = skipped > 0 ? ` (${skipped} skipped)` : "";
    say(
      `${done} of ${steps} updates${less}; checkpoint ${checkpoint}${points.length > 0 ? `; loss plot ${plot}` : ""}`,
    );
  } finally {
    progress?.stop();
  }
}

/** All options, what an update is made of, and what memory the run will take; a warning when that is too much. */
function introduce(config: PretrainRunConfig): { lines: string[]; warning: string | undefined } {
  const { batchSize, accumulate, views, lr, recompute } = config;
  const videos = batchSize * accumulate;
  const peakRate = Number(scaleLearningRate(lr, videos).toPrecision(6));
  const { device, peak, host, onDevice } = forecastMemory(config);
  const limits = { host: memoryOf("cpu"), device: memoryOf(device) };
  const allows = (limit: number | undefined, who: string) =>
    limit === undefined ? "" : `; ${who} ${bytesText(limit)}`;
  const ofMachine = allows(limits.host, "this machine allows");
  const memory =
    device === "cpu"
      ? `memory: about ${bytesText(host)}, of which ${bytesText(peak)} for tensors${ofMachine}`
      : `memory: about ${bytesText(onDevice)} of ${device}${allows(limits.device, "it has")}; about ${bytesText(host)} of the host${ofMachine}`;
  const lines = [
    formatRecipe(config).trimEnd(),
    `an update: ${videos} videos (${batchSize} x ${accumulate}), ${videos * views} clips; peak learning rate ${peakRate}`,
    memory,
  ];
  const fits = (bytes: number, limit: number | undefined) => limit === undefined || bytes <= limit;
  const onHost = fits(host, limits.host);
  if (onHost && (device === "cpu" || fits(onDevice, limits.device))) return { lines, warning: undefined };
  const advice = `${recompute ? "give" : "give --recompute, or"} a smaller --batch-size with a larger --accumulate`;
  const consequence = onHost ? "the run may find no memory there" : "the run may be killed";
  return { lines, warning: `warning: ${memory}, so ${consequence}: ${advice}` };
}

function lossPoints(log: string): LossPoint[] {
  return readJsonl(log).flatMap(({ step, loss, learningRate }) =>
    typeof step === "number" && typeof loss === "number" ? [{ step, loss, learningRate: learningRate as number }] : [],
  );
}
