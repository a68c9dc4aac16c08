// A run on the terminal while it goes on: what it trains on, a progress bar, and what the user should know.
import { Progress } from "../log/progress.js";
import type { RunControl } from "../train/training-run.js";

/** A model that may say how large its clips are. */
type Trained = { readonly config: object };

const say = (line: string) => process.stderr.write(`${line}\n`);

export class TrainingDisplay {
  /** What tells it how the run goes. */
  readonly control: Omit<RunControl<Trained>, "signal">;
  #progress: Progress | undefined;
  #badFiles = 0;

  /** @param introduction  lines that are said when the run begins */
  constructor(introduction: readonly string[] = []) {
    this.control = {
      onStart: ({ start, steps, clips, model: { config } }) => {
        for (const line of introduction) say(line);
        const resumed = start > 0 ? `, resumed after update ${start}` : "";
        const size =
          "frames" in config && "image" in config ? `, ${config.frames} x ${config.image} x ${config.image}` : "";
        say(`${clips} clips${size}, ${steps} updates${resumed}`);
        this.#progress = new Progress({ total: steps, start });
      },
      onValidation: (step, { fields }) => say(`\nafter update ${step}: ${measuredText(fields)}`),
      onStep: (step) => this.#progress?.update({ ...step, lr: step.learningRate, badFiles: this.#badFiles }),
      onNote: say,
      onBadFile: ({ source, reason, bad }) => {
        this.#badFiles = bad;
        say(`skipped ${source}: ${reason}`);
      },
    };
  }

  /** Leaves the terminal to others; a second call does nothing. */
  stop(): void {
    this.#progress?.stop();
    this.#progress = undefined;
  }
}

function measuredText({ top1, top5, loss, clips, failed }: Readonly<Record<string, number>>): string {
  const percent = (fraction: number) => `${(100 * fraction).toFixed(2)} %`;
  const unread = failed > 0 ? `, ${failed} not read` : "";
  return `top-1 ${percent(top1)}, top-5 ${percent(top5)}, loss ${loss.toFixed(4)} on ${clips} clips${unread}`;
}
