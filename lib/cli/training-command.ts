// What the commands that train have in common: what is said before, during and after a run.
import path from "node:path";
import type { RecipeBook } from "../config/recipe-book.js";
import type { RunConfig } from "../config/run-options.js";
import { readJsonl } from "../log/jsonl.js";
import { type LossPoint, writeLossPlot } from "../log/loss-plot.js";
import { Progress } from "../log/progress.js";
import { machineLimits, memoryLimit } from "../machine/limits.js";
import { scaleLearningRate } from "../optim/schedule.js";
import type { MemoryForecast } from "../train/memory-forecast.js";
import type { RunControl, RunSummary } from "../train/training-run.js";
import { interruptible } from "./interrupt.js";
import { bytesText } from "./values.js";

type ShownConfig = RunConfig & { readonly views: number };

/** A run as a command starts it. */
export interface TrainingWork<C extends ShownConfig> {
  readonly book: RecipeBook<Partial<C>>;
  readonly config: C;
  readonly forecast: MemoryForecast;
  /** Of the plot of the loss. */
  readonly title: string;
  train(
    control: RunControl<{ readonly config: { readonly frames: number; readonly image: number } }>,
  ): Promise<RunSummary>;
}

const say = (line: string) => process.stderr.write(`${line}\n`);

/** Trains with a progress bar, and draws the loss at the end. */
export async function trainAndShow<C extends ShownConfig>(work: TrainingWork<C>): Promise<void> {
  const onStop = () => say("\nstopping after this update (again to stop at once)");
  await interruptible((signal) => showTraining(work, signal), onStop);
}

async function showTraining<C extends ShownConfig>(work: TrainingWork<C>, signal: AbortSignal): Promise<void> {
  let progress: Progress | undefined;
  let badFiles = 0;
  const { lines, warning } = introduce(work);
  if (warning) say(warning); // before any memory is taken
  try {
    const { steps, done, skipped, checkpoint, log, data } = await work.train({
      signal,
      onStart: ({ start, steps, clips, model }) => {
        for (const line of lines) say(line);
        const resumed = start > 0 ? `, resumed after update ${start}` : "";
        say(
          `${clips} clips, ${model.config.frames} x ${model.config.image} x ${model.config.image}, ${steps} updates${resumed}`,
        );
        progress = new Progress({ total: steps, start });
      },
      onValidation: (step, { fields }) => say(`\nafter update ${step}: ${measuredText(fields)}`),
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
    if (points.length > 0) await writeLossPlot(plot, points, { title: work.title });
    const less = skipped > 0 ? ` (${skipped} skipped)` : "";
    say(
      `${done} of ${steps} updates${less}; checkpoint ${checkpoint}${points.length > 0 ? `; loss plot ${plot}` : ""}`,
    );
  } finally {
    progress?.stop();
  }
}

/** All options, what an update is made of, and what memory the run will take; a warning when that is too much. */
function introduce<C extends ShownConfig>({
  book,
  config,
  forecast,
}: TrainingWork<C>): {
  lines: string[];
  warning: string | undefined;
} {
  const { batchSize, accumulate, views, lr, recompute } = config;
  const videos = batchSize * accumulate;
  const peakRate = Number(scaleLearningRate(lr, videos).toPrecision(6));
  const { peak, total } = forecast;
  const limit = memoryLimit(machineLimits());
  const allowed = limit === undefined ? "" : `; this machine allows ${bytesText(limit)}`;
  const memory = `memory: about ${bytesText(total)}, of which ${bytesText(peak)} for tensors${allowed}`;
  const lines = [
    book.format(config).trimEnd(),
    `an update: ${videos} videos (${batchSize} x ${accumulate}), ${videos * views} clips; peak learning rate ${peakRate}`,
    memory,
  ];
  if (limit === undefined || total <= limit) return { lines, warning: undefined };
  const advice = `${recompute ? "give" : "give --recompute, or"} a smaller --batch-size with a larger --accumulate`;
  return { lines, warning: `warning: ${memory}, so the run may be killed: ${advice}` };
}

function measuredText({ top1, top5, loss, clips, failed }: Readonly<Record<string, number>>): string {
  const percent = (fraction: number) => `${(100 * fraction).toFixed(2)} %`;
  const unread = failed > 0 ? `, ${failed} not read` : "";
  return `top-1 ${percent(top1)}, top-5 ${percent(top5)}, loss ${loss.toFixed(4)} on ${clips} clips${unread}`;
}

function lossPoints(log: string): LossPoint[] {
  return readJsonl(log).flatMap(({ step, loss, learningRate }) =>
    typeof step === "number" && typeof loss === "number" ? [{ step, loss, learningRate: learningRate as number }] : [],
  );
}
