// The progressive schedule of VideoMAE V2 (section 3.3 of the paper): pre-training without labels, post-pre-training on
// a mixture of labelled data, and the stages after them, one after the other. Each stage is a run of its own in a folder
// of its own, and the only thing handed from one to the next is a checkpoint; so a schedule that is stopped or killed
// goes on at the stage and update where it was, and ends with the same bits.

import { existsSync } from "node:fs";
import path from "node:path";
import { VideomaeError } from "../errors.js";
import { bestCheckpointPath, latestCheckpoint } from "../io/checkpoint-folder.js";
import { prepareFolder } from "../train/run-folder.js";
import { lockFolder } from "../train/run-lock.js";
import { type HandOver, type PlannedStage, type ProgressiveRecipe, planSchedule } from "./schedule-recipe.js";
import { writeScheduleReport } from "./schedule-report.js";
import { ScheduleState, type StageState } from "./schedule-state.js";
import type { StageControl } from "./stage-kinds.js";

/** How a schedule reports, and how it is asked to stop. */
export interface ProgressiveControl {
  /** Stops the stage under way with a checkpoint, and the schedule with it. */
  readonly signal?: AbortSignal;
  /** Called before each stage; what it returns is told how the stage goes. Stages that are done are not run again. */
  readonly onStage?: (stage: {
    name: string;
    kind: string;
    number: number;
    of: number;
    done: boolean;
  }) => Omit<StageControl, "signal"> | undefined;
  /** Something the user should know, e.g. that a stage that is done had other options. */
  readonly onNote?: (note: string) => void;
}

/** What became of a schedule. */
export interface ProgressiveSummary {
  /** The folder of the whole. */
  readonly out: string;
  /** Whether all stages are done; not so when the schedule was asked to stop. */
  readonly done: boolean;
  /** The stages that have begun, in order. */
  readonly stages: readonly (StageState & { readonly name: string })[];
  /** The page that shows them. */
  readonly report: string;
}

/**
 * Runs the stages of a recipe, or goes on with them.
 * @param recipe  a YAML file, or what one would hold
 * @param options.out  the folder, in place of the recipe's own
 * @throws VideomaeError for a mistake in the recipe, before any stage begins, and whatever a stage throws
 */
export async function progressive(
  recipe: string | ProgressiveRecipe,
  control: ProgressiveControl = {},
  options: { readonly out?: string } = {},
): Promise<ProgressiveSummary> {
  const plan = planSchedule(recipe, options.out);
  for (const note of prepareFolder(plan.out)) control.onNote?.(note);
  using _lock = lockFolder(plan.out);
  const state = new ScheduleState(plan.out);
  const of = plan.stages.length;
  for (const [i, stage] of plan.stages.entries()) {
    const before = state.get(stage.name);
    const done = before?.done === true && isThere(stage);
    const stageControl = control.onStage?.({ name: stage.name, kind: stage.kind.name, number: i + 1, of, done }) ?? {};
    const given = { ...stage.options, ...handedOver(plan.out, stage) };
    if (done) {
      for (const note of changes(stage, before, given)) control.onNote?.(note);
      continue;
    }
    await runStage(stage, given, state, { ...stageControl, signal: control.signal });
    if (!state.get(stage.name)!.done) break;
  }
  const stages = plan.stages.flatMap(({ name }) => {
    const known = state.get(name);
    return known ? [{ name, ...known }] : [];
  });
  const report = await writeScheduleReport(plan, stages);
  return { out: plan.out, done: stages.length === of && stages.every(({ done }) => done), stages, report };
}

/** Runs a stage, or goes on with it, and keeps the books. */
async function runStage(
  { name, kind, folder }: PlannedStage,
  options: Readonly<Record<string, unknown>>,
  state: ScheduleState,
  control: StageControl,
): Promise<void> {
  const { seconds: earlier = 0 } = state.get(name) ?? {};
  const began = performance.now();
  const keep = (updates: number, checkpoint: string, done: boolean) => {
    const seconds = earlier + (performance.now() - began) / 1000;
    state.set(name, { stage: kind.name, options, done, seconds, updates, checkpoint: path.basename(checkpoint) });
  };
  const latest = latestCheckpoint(folder);
  keep(latest?.step ?? 0, latest?.path ?? "", false);
  const { steps, done, checkpoint } = await kind.run(
    { ...options, out: folder },
    {
      ...control,
      onCheckpoint: (file) => {
        keep(latestCheckpoint(folder)?.step ?? 0, file, false);
        control.onCheckpoint?.(file);
      },
    },
  );
  keep(kind.trains ? done : 0, checkpoint, done === steps);
}

/** The option that takes the checkpoint of the stage before. */
function handedOver(out: string, { kind, from }: PlannedStage): Readonly<Record<string, string>> {
  if (from === undefined || kind.handOver === undefined) return {};
  return { [kind.handOver]: checkpointOf(path.join(out, from.stage), from) };
}

function checkpointOf(folder: string, { stage, checkpoint }: HandOver): string {
  const file = checkpoint === "best" ? bestCheckpointPath(folder) : latestCheckpoint(folder)?.path;
  if (file !== undefined) return file;
  throw new VideomaeError({
    op: `progressive: ${stage}`,
    expected: "the checkpoints of a stage that is done",
    got: `none in ${folder}`,
    hint: "remove the folder of that stage and its entry in schedule.json to run it again",
  });
}

/** Whether what a stage has left is still there: who removes its folder wants it anew. */
function isThere({ kind, folder }: PlannedStage): boolean {
  return kind.trains ? latestCheckpoint(folder) !== undefined : existsSync(folder);
}

/** What is otherwise than when a stage that is done was run; of one under way its own run says what has changed. */
function changes({ name, folder }: PlannedStage, before: StageState, now: Readonly<Record<string, unknown>>): string[] {
  const differing = [...new Set([...Object.keys(before.options), ...Object.keys(now)])].filter(
    (key) => JSON.stringify(before.options[key]) !== JSON.stringify(now[key]),
  );
  if (differing.length === 0) return [];
  const list = differing.map((key) => `${key} ${show(before.options[key])} -> ${show(now[key])}`).join(", ");
  return [`stage ${name} is done, with other options than the recipe's (${list}); remove ${folder} to run it again`];
}

function show(value: unknown): string {
  return value === undefined ? "unset" : JSON.stringify(value);
}
