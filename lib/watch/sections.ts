// The places of the page that change while a run goes on, as HTML.

import path from "node:path";
import { duration } from "../log/progress.js";
import { outcomesOf } from "../report/confusion.js";
import { type Html, html } from "../report/html.js";
import type { Outcomes } from "../report/outcomes.js";
import { facts, nameTable } from "../report/page.js";
import { dataText, recordRows, valueText } from "../report/record-text.js";
import { numberOf } from "../report/run-record.js";
import type { SectionName } from "./messages.js";
import { CONFUSION, type RunFollower } from "./run-follower.js";
import { stateOf } from "./run-state.js";

/** One stage of a progressive training, for the list of them. */
export interface StageEntry {
  readonly name: string;
  readonly kind: string;
  readonly done: boolean;
}

export interface PageView {
  /** What was asked to be watched. */
  readonly folder: string;
  readonly run: RunFollower;
  /** Of a progressive training those that have begun; else none. */
  readonly stages: readonly StageEntry[];
  /** The stage that is shown; "" where there are none. */
  readonly stage: string;
  /** What else cannot be read. */
  readonly problems: readonly string[];
  readonly now: number;
}

/** The page of a moment: the title of the window, and every place. */
export function sectionsOf(view: PageView): { window: string; sections: Readonly<Record<SectionName, string>> } {
  const { folder, run, stage, now } = view;
  const name = path.basename(path.resolve(folder));
  const title = stage === "" ? name : `${name}: ${stage}`;
  const { last } = run.log;
  const share = last && Math.floor((100 * last.step) / numberOf(last, "steps"));
  const sections = {
    title: html`<h1>${title}</h1><p class="muted">${subtitleOf(view)}</p>`,
    stages: stagesOf(view),
    state: html`${stateOf(run, now).text}`,
    facts: factsOf(run, now),
    pictures: picturesOf(run, stage),
    outcomes: outcomesHtml(run.currentOutcomes),
    problems: problemsOf([...view.problems, ...run.problems()]),
    details: detailsOf(run),
  };
  return {
    window: share === undefined || Number.isNaN(share) ? title : `${share} % · ${title}`,
    sections: Object.fromEntries(
      Object.entries(sections).map(([section, content]) => [section, content?.source ?? ""]),
    ) as Record<SectionName, string>,
  };
}

function subtitleOf({ run, stages, stage }: PageView): string {
  const kind = stages.find(({ name }) => name === stage)?.kind;
  const { model, data } = run.options.value ?? {};
  const on = [model, data && dataText(data)].filter((part) => part !== undefined && part !== "").join(" with ");
  return [kind === stage ? undefined : kind, on].filter(Boolean).join(" of ");
}

function stagesOf({ stages, stage }: PageView): Html | undefined {
  if (stages.length === 0) return undefined;
  const items = stages.map(({ name, done }) => {
    const link = html`<a href="?stage=${encodeURIComponent(name)}">${name}</a>`;
    return html`<li>${name === stage ? html`<b>${link}</b>` : link} <span class="muted">${done ? "done" : "under way"}</span></li>`;
  });
  return html`<ul>${items}</ul>`;
}

function factsOf(run: RunFollower, now: number): Html | undefined {
  const { last, measured, skippedInAll, badFiles } = run.log;
  if (last === undefined) return undefined;
  const steps = numberOf(last, "steps");
  const { clipsPerSecond, waiting, remainingSeconds } = run.speed.rates(steps);
  const training = stateOf(run, now).training;
  const accuracy = (field: string) => {
    const value = numberOf(measured, field);
    return Number.isNaN(value) ? undefined : `${(100 * value).toFixed(1)} %`;
  };
  return html`<progress value="${last.step}" max="${steps}" aria-label="updates done"></progress>
${facts([
  ["update", `${last.step} of ${steps}`],
  ["epoch", numberText(numberOf(last, "epoch"), (epoch) => `${epoch}`)],
  ["loss", Number.isNaN(numberOf(last, "loss")) ? "not finite" : numberOf(last, "loss").toPrecision(4)],
  ["learning rate", numberText(numberOf(last, "learningRate"), (rate) => rate.toExponential(1))],
  ["top-1", accuracy("top1")],
  ["top-5", accuracy("top5")],
  ["clips a second", clipsPerSecond === undefined ? "-" : clipsPerSecond.toFixed(clipsPerSecond < 10 ? 2 : 1)],
  ["waiting for data", waiting === undefined ? "-" : `${(100 * waiting).toFixed(0)} %`],
  ["time left", training ? (remainingSeconds === undefined ? "-" : duration(remainingSeconds)) : undefined],
  ["skipped updates", skippedInAll > 0 ? `${skippedInAll}` : undefined],
  ["bad files", badFiles > 0 ? `${badFiles}` : undefined],
])}`;
}

function picturesOf(run: RunFollower, stage: string): Html | undefined {
  // A confusion matrix is drawn from its numbers, where they are there.
  const shown = run.events.pictures.filter(([name]) => name !== CONFUSION || run.currentOutcomes === undefined);
  if (shown.length === 0) return undefined;
  const figures = shown.map(([name, { step, serial, width, height }]) => {
    const address = new URLSearchParams({ ...(stage === "" ? {} : { stage }), name, serial: `${serial}` });
    const source = `/picture?${address.toString()}`;
    const text = `${titleOf(name)}, after update ${step}`;
    // Of a sheet of frames nothing could be seen in the width of a telephone: there it is moved to and fro.
    const kind = width > 2 * height ? "sheet" : "plain";
    return html`<figure><a href="${source}"><img class="${kind}" src="${source}" width="${width}" height="${height}" alt="${text}"></a>
<figcaption>${text}</figcaption></figure>`;
  });
  return html`<h2>Pictures of the last save</h2>${figures}`;
}

/** What a picture is of, by its name in the event files. */
function titleOf(name: string): string {
  const clip = /^reconstruction\/(\d+)$/.exec(name);
  if (clip) return `What the model makes of clip ${Number(clip[1]) + 1}`;
  return name === CONFUSION ? "What the classifier takes for what" : name;
}

/** Large for many classes, and made once for each validation. */
const drawnOutcomes = new WeakMap<Outcomes, Html>();

function outcomesHtml(outcomes: Outcomes | undefined): Html | undefined {
  if (outcomes === undefined) return undefined;
  const drawn = drawnOutcomes.get(outcomes);
  if (drawn !== undefined) return drawn;
  const lead = html`<p>Top-1 ${(100 * outcomes.top1).toFixed(1)} %, after update ${outcomes.step}.</p>`;
  const made = html`<h2>Last validation</h2>${lead}${outcomesOf(outcomes)}`;
  drawnOutcomes.set(outcomes, made);
  return made;
}

function problemsOf(problems: readonly string[]): Html | undefined {
  return problems.length === 0 ? undefined : html`<ul>${problems.map((problem) => html`<li>${problem}</li>`)}</ul>`;
}

function detailsOf({ log, options }: RunFollower): Html {
  const notes = [...log.notes].reverse();
  const table = (title: string, rows: readonly (readonly [string, string])[]) =>
    rows.length === 0 ? undefined : html`<h3>${title}</h3>${nameTable(rows)}`;
  return html`${table("Notes of the log, newest first", notes)}
${table(
  "Options",
  Object.entries(options.value ?? {}).map(([name, value]) => [name, valueText(value)]),
)}
${table("Machine", recordRows(log.machine))}`;
}

function numberText(value: number, format: (value: number) => string): string | undefined {
  return Number.isNaN(value) ? undefined : format(value);
}
