// `videomae predict <clips>`: the likeliest classes of each clip.
import { Command } from "commander";
import { sourcePath } from "../data/source.js";
import type { Prediction } from "../eval/predictor.js";
import {
  addPredictorOptions,
  forEachClip,
  type PredictorFlags,
  parseViews,
  predictorOf,
  readLabels,
  sourcesOf,
} from "./predictor-command.js";
import { parseNumber } from "./values.js";

interface PredictFlags extends PredictorFlags {
  readonly labels?: string;
  readonly top: number;
  readonly views: { readonly segments: number; readonly crops: number };
  readonly json?: boolean;
}

/** One clip's line of the JSON output. */
type Answer =
  | { readonly clip: string; readonly top: Prediction["top"] }
  | { readonly clip: string; readonly error: string };

export function predictCommand(): Command {
  return addPredictorOptions(new Command("predict"))
    .option("--labels <file>", "names of the classes, one a line (default: those that come with the weights)")
    .option("--top <count>", "classes to show", parseNumber, 5)
    .option("--views <segments>x<crops>", "clips over the video and squares over the frame, averaged", parseViews, {
      segments: 1,
      crops: 1,
    })
    .option("--json", "print JSON")
    .action(predict);
}

async function predict(clips: string[], flags: PredictFlags): Promise<void> {
  const { top, views, stride, sampling, json } = flags;
  const sources = sourcesOf(clips, flags);
  await using predictor = await predictorOf(flags);
  const { config, labels: ofWeights } = predictor.model;
  const labels = flags.labels === undefined ? ofWeights : readLabels(flags.labels, config.classes);
  const answers: Answer[] = [];
  await forEachClip(
    sources,
    async (source) => {
      const clip = sourcePath(source);
      const prediction = await predictor.predict(source, { top, ...views, stride, sampling });
      const named = prediction.top.map((entry) => ({ ...entry, label: labels?.[entry.index] }));
      answers.push({ clip, top: named });
      if (!json) console.log([clip, ...named.map(line)].join("\n"));
    },
    (source, error) => answers.push({ clip: sourcePath(source), error }),
  );
  if (json) console.log(JSON.stringify(answers, undefined, 2));
}

function line({ index, label, probability }: Prediction["top"][number]): string {
  return `  ${probability.toFixed(4)}  ${label ?? `class ${index}`}`;
}
