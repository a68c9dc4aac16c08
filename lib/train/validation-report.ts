// What a run says of its last validation: `validation.json`, accuracies of every class and what is taken for what, and the
// same as a picture, `confusion.png`.
import { join } from "node:path";
import { writeFileAtomic } from "../io/atomic-file.js";
import { confusionPlotPng } from "../log/confusion-plot.js";
import type { ClassifierValidation } from "./validate-classifier.js";

/**
 * Writes both files into the folder of a run.
 * @param step  updates of the weights that were measured
 * @throws VideomaeError when the file system refuses
 */
export async function writeValidationReport(
  folder: string,
  step: number,
  { accuracy, loss, failed }: ClassifierValidation,
  classes: readonly string[],
): Promise<void> {
  const { clips, top1, top5, classMean, confusion } = accuracy;
  const rates = accuracy.perClass().map((rate, i) => ({ class: i, name: classes[i], ...rate }));
  const rows = classes.map((_, i) => [...confusion.subarray(i * classes.length, (i + 1) * classes.length)]);
  const report = {
    ...{ schema: "videomae.validation/1", step, clips, failed, loss, top1, top5, classMean },
    ...{ classes: rates, confusion: rows },
  };
  const text = `${JSON.stringify(report)}\n`;
  writeFileAtomic(join(folder, "validation.json"), (sink) => sink(new TextEncoder().encode(text)));
  const png = await confusionPlotPng(rows, classes);
  writeFileAtomic(join(folder, "confusion.png"), (sink) => sink(png));
}
