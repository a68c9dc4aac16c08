// `videomae pretrain <data>`: trains with a progress bar, leaves checkpoints, a log and a loss plot.
import path from "node:path";
import { Command, Option } from "commander";
import { describePretrainOptions, type PretrainRunOptions } from "../config/pretrain-config.js";
import { readJsonl } from "../log/jsonl.js";
import { type LossPoint, writeLossPlot } from "../log/loss-plot.js";
import { Progress } from "../log/progress.js";
import { pretrain } from "../train/pretrain.js";
import { interruptible } from "./interrupt.js";
import { parseNumber, parseNumbers } from "./values.js";

export function pretrainCommand(): Command {
  const command = new Command("pretrain")
    .description("pre-train a model on a folder of clips or a list file")
    .argument("<data...>", "folder of clips, list file with one clip a line, or mixture file; several are a mixture");
  for (const { name, description, default: preset } of describePretrainOptions()) {
    if (name !== "data") command.addOption(optionFor(name, description, preset));
  }
  return command.action((data: string[], options: Record<string, unknown>) =>
    runPretraining({ ...options, data: data.length === 1 ? data[0] : data } as PretrainRunOptions),
  );
}

/** One option of the schema as the command line spells it: `maskRatio` is `--mask-ratio <value>`. */
function optionFor(name: string, description: string, preset: unknown): Option {
  const flag = `--${name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`;
  if (name === "resume") {
    return new Option("--no-resume", "start anew even when the folder holds a checkpoint");
  }
  if (preset === false) return new Option(flag, description);
  if (preset === true) return new Option(flag.replace("--", "--no-"), `do not ${description}`);
  const option = new Option(
    `${flag} <value>`,
    preset === undefined ? description : `${description} (default: ${preset})`,
  );
  if (Array.isArray(preset)) return option.argParser(parseNumbers);
  return typeof preset === "string" || name === "root" ? option : option.argParser(parseNumber);
}

async function runPretraining(options: PretrainRunOptions): Promise<void> {
  const say = (line: string) => process.stderr.write(`${line}\n`);
  const onStop = () => say("\nstopping after this update (again to stop at once)");
  await interruptible((signal) => pretrainAndShow(options, say, signal), onStop);
}

async function pretrainAndShow(
  options: PretrainRunOptions,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  let progress: Progress | undefined;
  let badFiles = 0;
  try {
    const { steps, done, skipped, checkpoint, log, data } = await pretrain(options, {
      signal,
      onStart: ({ start, steps, clips, model }) => {
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

function lossPoints(log: string): LossPoint[] {
  return readJsonl(log).flatMap(({ step, loss, learningRate }) =>
    typeof step === "number" && typeof loss === "number" ? [{ step, loss, learningRate: learningRate as number }] : [],
  );
}
