// `videomae accuracy <data>`: a classifier on a labelled test set.
import { Command, Option } from "commander";
import { readClassNames } from "../data/class-names.js";
import { isNumbered } from "../data/labelled-mixture.js";
import { readLabelledSources } from "../data/labelled-sources.js";
import { type TestResult, testClassifier } from "../eval/test-classifier.js";
import { writeFileAtomic } from "../io/atomic-file.js";
import { Counter } from "../log/counter.js";
import { interruptible } from "./interrupt.js";
import { addPredictorOptions, type PredictorFlags, parseViews, predictorOf } from "./predictor-command.js";

interface AccuracyFlags extends PredictorFlags {
  readonly classes?: string;
  readonly views: { readonly segments: number; readonly crops: number };
  readonly perClass?: boolean;
  readonly json?: boolean;
  readonly predictions?: string;
}

export function accuracyCommand(): Command {
  const data = "a labelled list, or a folder with one sub-folder a class";
  return addPredictorOptions(new Command("accuracy"), "<data>", data)
    .option("--classes <file>", "names of the data's classes, one a line; matched with the model's by name")
    .addOption(
      new Option("--views <segments>x<crops>", "clips over the video and squares over the frame, averaged")
        .argParser(parseViews)
        .default({ segments: 1, crops: 1 }, "1x1"),
    )
    .option("--per-class", "print the accuracy of every class")
    .option("--predictions <file>", "write what each clip was taken for, a JSON line each")
    .option("--json", "print JSON (schema videomae.accuracy/1)")
    .addHelpText(
      "after",
      `
A clip that cannot be read is named, counts for nothing, and makes the exit status 1.

Example:
  videomae accuracy val.csv --weights runs/finetune --views 5x3`,
    )
    .action(accuracy);
}

async function accuracy(data: string, flags: AccuracyFlags): Promise<void> {
  const { root, views, stride, sampling } = flags;
  const names = flags.classes === undefined ? undefined : readClassNames(flags.classes);
  const labelled = readLabelledSources(data, { root, classes: names, allowEmptyClasses: true });
  // Numbers that nothing names are not names: the model's order is that of the list.
  const classes = names ?? (isNumbered(labelled.classes) ? undefined : labelled.classes);
  await using predictor = await predictorOf(flags);
  await interruptible(
    async (signal) => {
      const counter = new Counter("clips");
      try {
        const onClip = (done: number, total: number) => counter.update(done, total);
        const options = { ...views, stride, sampling, classes, onClip, signal };
        report(await testClassifier(predictor, labelled.sources, options), flags);
      } finally {
        counter.stop();
      }
    },
    () => {},
  );
}

function report(result: TestResult, { perClass, json, predictions }: AccuracyFlags): void {
  const { accuracy: measured, clips, failed, classes } = result;
  const { top1, top5, classMean } = measured;
  const rates = measured.perClass().map((rate, k) => ({ class: k, name: classes?.[k], ...rate }));
  for (const { where, reason } of failed) process.stderr.write(`not counted ${where}: ${reason}\n`);
  if (predictions !== undefined) {
    const lines = clips.map((clip) => `${JSON.stringify(clip)}\n`).join("");
    writeFileAtomic(predictions, (sink) => sink(new TextEncoder().encode(lines)));
  }
  if (json) {
    const counts = { clips: measured.clips, failed, top1, top5, classMean };
    console.log(JSON.stringify({ schema: "videomae.accuracy/1", ...counts, classes: rates }, undefined, 2));
  } else {
    if (perClass) for (const rate of rates) if (rate.clips > 0) console.log(classLine(rate));
    const left = failed.length === 0 ? "" : `, ${failed.length} not read`;
    console.log(`${measured.clips} clips${left}: top-1 ${percent(top1)}, top-5 ${percent(top5)}`);
  }
  if (failed.length > 0) process.exitCode = 1;
}

function classLine(rate: { class: number; name: string | undefined; clips: number; correct: number }): string {
  const { clips, correct, name } = rate;
  return `${percent(correct / clips).padStart(8)}  ${correct} of ${clips}  ${name ?? `class ${rate.class}`}`;
}

function percent(fraction: number): string {
  return `${(100 * fraction).toFixed(2)} %`;
}
