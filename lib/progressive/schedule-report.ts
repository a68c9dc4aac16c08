// The page that shows a progressive training: all stages in one table, then each with its curves, pictures and accuracy.

import path from "node:path";
import { writeFileAtomic } from "../io/atomic-file.js";
import { duration } from "../log/progress.js";
import { outcomesOf } from "../report/confusion.js";
import { type Html, html } from "../report/html.js";
import { readOutcomes } from "../report/outcomes.js";
import { facts, page } from "../report/page.js";
import { isRun, readRun } from "../report/run-record.js";
import { accuracyOf, introduction, lossOf, sectionsOf } from "../report/run-report.js";
import type { SchedulePlan } from "./schedule-recipe.js";
import type { StageState } from "./schedule-state.js";

type KnownStage = StageState & { readonly name: string };

/** Writes `report.html` into the folder of the whole, and returns its path. */
export async function writeScheduleReport(plan: SchedulePlan, stages: readonly KnownStage[]): Promise<string> {
  const name = path.basename(path.resolve(plan.out));
  const file = path.join(plan.out, "report.html");
  const training = plan.stages.filter(
    ({ name: stage, folder }) => stages.some((known) => known.name === stage) && isRun(folder),
  );
  const runs = new Map(training.map((stage) => [stage.name, readRun(stage.folder)]));
  const rows = plan.stages.map(({ name: stage, kind, from, folder }) => {
    const state = stages.find((known) => known.name === stage);
    const run = runs.get(stage);
    const begins = from ? `${from.checkpoint} of ${from.stage}` : "fresh weights";
    return html`<tr><td><a href="#${stage}">${stage}</a></td><td>${kind.name}</td><td>${begins}</td>
<td class="number">${kind.trains ? state?.updates : undefined}</td><td class="number">${run && lossOf(run)}</td><td class="number">${(run && accuracyOf(run, "top1")) ?? topOneOf(folder)}</td>
<td class="number">${state && duration(state.seconds)}</td><td>${state ? (state.done ? "done" : "under way") : "to come"}</td></tr>`;
  });
  const sections: Html[] = [];
  for (const { name: stage, folder } of plan.stages) {
    const run = runs.get(stage);
    const outcomes = readOutcomes(folder);
    if (run) sections.push(html`${heading(stage, introduction(run))}${await sectionsOf(run)}`);
    else if (outcomes) sections.push(html`${heading(stage, "accuracy on a test set")}${outcomesOf(outcomes)}`);
  }
  const seconds = stages.reduce((sum, stage) => sum + stage.seconds, 0);
  const body = html`<h1>${name}</h1><p class="muted">progressive training: ${plan.stages.map(({ name: stage }) => stage).join(", ")}</p>
${facts([
  ["stages done", `${stages.filter(({ done }) => done).length} of ${plan.stages.length}`],
  ["updates", `${stages.reduce((sum, { updates }) => sum + updates, 0)}`],
  ["time", duration(seconds)],
])}
<table><thead><tr><th>stage</th><th>kind</th><th>begins with</th><th class="number">updates</th><th class="number">last loss</th>
<th class="number">top-1</th><th class="number">time</th><th>state</th></tr></thead><tbody>${rows}</tbody></table>
${sections}`;
  writeFileAtomic(file, (sink) => sink(new TextEncoder().encode(page(name, body))));
  return file;
}

function heading(stage: string, introduction: string): Html {
  return html`<h2 id="${stage}">${stage}</h2><p class="muted">${introduction}</p>`;
}

/** Top-1 of the last validation of a stage, in percent. */
function topOneOf(folder: string): string | undefined {
  const outcomes = readOutcomes(folder);
  return outcomes && `${(100 * outcomes.top1).toFixed(1)} %`;
}
