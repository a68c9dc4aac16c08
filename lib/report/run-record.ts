// What the folder of a run tells, whatever its stage and however far it came: its options, its log, and the state beside
// the weights of its newest whole checkpoint.

import { existsSync } from "node:fs";
import path from "node:path";
import { parseYaml, readYaml } from "../config/yaml-options.js";
import { VideomaeError } from "../errors.js";
import { type CheckpointState, openCheckpoint } from "../io/checkpoint.js";
import { listCheckpoints } from "../io/checkpoint-folder.js";
import { isDamage } from "../io/damaged-file.js";
import { type LogRecord, readJsonl } from "../log/jsonl.js";

export interface RunRecord {
  readonly folder: string;
  /** The folder's own name. */
  readonly name: string;
  /** All options as `recipe.yaml` has them. */
  readonly options: Readonly<Record<string, unknown>>;
  /** The lines of the log that are updates, ascending. */
  readonly updates: readonly (LogRecord & { readonly step: number })[];
  /** The other lines, in order. */
  readonly events: readonly (LogRecord & { readonly event: string })[];
  /** The newest whole checkpoint; undefined where there is none yet. */
  readonly checkpoint: { readonly path: string; readonly state: CheckpointState } | undefined;
}

/**
 * Reads the folder of a run.
 * @throws VideomaeError when it is none, or its log is damaged
 */
export function readRun(folder: string): RunRecord {
  const { log, recipe } = filesOf(folder);
  if (!isRun(folder)) {
    throw new VideomaeError({
      op: folder,
      expected: "the folder of a run, with log.jsonl and recipe.yaml in it",
      got: existsSync(folder) ? "another one" : "no such folder",
      hint: "name what was given to --out",
    });
  }
  const lines = readJsonl(log);
  return {
    folder,
    name: path.basename(path.resolve(folder)),
    options: parseYaml(readYaml(recipe, "the options of a run"), recipe).options,
    updates: lines.filter(isUpdate),
    events: lines.filter(isEvent),
    checkpoint: newestState(folder),
  };
}

/** Whether a folder is that of a run that has begun. */
export function isRun(folder: string): boolean {
  return Object.values(filesOf(folder)).every((file) => existsSync(file));
}

/** What a run writes before its first update. */
function filesOf(folder: string): { readonly log: string; readonly recipe: string } {
  return { log: path.join(folder, "log.jsonl"), recipe: path.join(folder, "recipe.yaml") };
}

/** The stage of a run, such as "pretrain"; undefined before its first checkpoint. */
export function stageOf({ checkpoint }: RunRecord): string | undefined {
  const stage = checkpoint?.state.stage;
  return typeof stage === "string" ? stage : undefined;
}

/** A number of a log line; NaN where it was not finite or is not there. */
export function numberOf(record: LogRecord | undefined, field: string): number {
  const value = record?.[field];
  return typeof value === "number" ? value : Number.NaN;
}

function isUpdate(line: LogRecord): line is LogRecord & { step: number } {
  return line.event === undefined && typeof line.step === "number";
}

function isEvent(line: LogRecord): line is LogRecord & { event: string } {
  return typeof line.event === "string";
}

function newestState(folder: string): RunRecord["checkpoint"] {
  for (const { path } of listCheckpoints(folder).reverse()) {
    try {
      using checkpoint = openCheckpoint(path, { verify: false });
      return { path, state: checkpoint.state };
    } catch (error) {
      if (!isDamage(error)) throw error;
    }
  }
  return undefined;
}
