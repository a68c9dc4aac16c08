// The folder of a run as the next process finds it: which checkpoint to go on from, what a killed process left behind,
// and what belongs to updates that will be made anew.
//
// A damaged checkpoint is never used and never silently passed over: it is named, and the one before takes its place,
// the best one last of all. Checkpoints beyond the point that a run goes on from would be taken for its newest ones at
// the next start, and would crowd out its own; so they are moved to `previous-<number>`, with a copy of the log. A run
// that starts anew moves all that an earlier one left. Nothing is deleted but the temporary files of killed processes.
import { copyFileSync, existsSync, mkdirSync, readdirSync, realpathSync, statSync } from "node:fs";
import path from "node:path";
import { VideomaeError } from "../errors.js";
import { explainFileError, removeLeftovers } from "../io/atomic-file.js";
import { type Checkpoint, openCheckpoint } from "../io/checkpoint.js";
import { bestCheckpointPath, checkpointPath, listCheckpoints, setAside } from "../io/checkpoint-folder.js";
import { isDamage } from "../io/damaged-file.js";
import { type JsonlLog, openJsonl } from "../log/jsonl.js";
import type { BestCheckpoint } from "./checkpoint-saver.js";

export interface ResumePoint {
  /** The checkpoint to go on from, open; undefined where there is none. */
  readonly checkpoint: Checkpoint | undefined;
  /** What the user should know. */
  readonly notes: readonly string[];
}

/** Makes the folder of a run, and clears it of what killed processes left. Returns what the user should know. */
export function prepareFolder(folder: string): string[] {
  try {
    makeFolder(path.resolve(folder));
    const leftovers = removeLeftovers(folder);
    return leftovers.length > 0 ? [`removed what was left of a save that was cut short: ${leftovers.join(", ")}`] : [];
  } catch (cause) {
    throw explainFileError("make", folder, cause);
  }
}

/** The system's recursive call reports a read-only disk as a folder that is missing. */
function makeFolder(folder: string): void {
  if (existsSync(folder)) return;
  makeFolder(path.dirname(folder));
  mkdirSync(folder);
}

/**
 * Finds and opens the checkpoint to go on from.
 * @param resume  true: the newest whole one of the folder; a path: that one and no other; false: none
 * @throws VideomaeError when a named one cannot be used, or every one of the folder is damaged
 */
export function openResumePoint(folder: string, resume: boolean | string): ResumePoint {
  if (typeof resume === "string") return { checkpoint: openCheckpoint(resume), notes: [] };
  if (!resume) return { checkpoint: undefined, notes: [] };
  const numbered = listCheckpoints(folder).reverse();
  const best = bestCheckpointPath(folder);
  const candidates = [...numbered.map((file) => file.path), ...(existsSync(best) ? [best] : [])];
  const notes: string[] = [];
  for (const candidate of candidates) {
    try {
      return { checkpoint: openCheckpoint(candidate), notes };
    } catch (error) {
      if (!isDamage(error)) throw error;
      notes.push(`not resumed from this one: ${(error as Error).message}`);
    }
  }
  if (candidates.length === 0) return { checkpoint: undefined, notes };
  throw new VideomaeError({
    op: `resume from ${folder}`,
    expected: "a checkpoint that is not damaged",
    got: notes.join(" | "),
    hint: "start anew with --no-resume (the files are moved aside), or choose another folder with --out",
  });
}

/** Where a run goes on. */
export interface StartingPoint {
  /** Of the checkpoint. */
  readonly path: string;
  /** Updates behind it. */
  readonly step: number;
  /** The length of the log it goes with. */
  readonly logBytes: number;
  /** The best checkpoint until then. */
  readonly best?: BestCheckpoint;
}

export interface ContinuedFolder {
  readonly log: JsonlLog;
  /** The best checkpoint, where the folder has it. */
  readonly best: BestCheckpoint | undefined;
  /** What the user should know. */
  readonly notes: readonly string[];
}

/**
 * Opens the log of a run and moves aside what is not of it. Call it once the checkpoint has been taken on.
 * @param start  undefined: the run starts at the beginning
 * @param anew  whether it does so although there may be a run to go on with
 * @throws VideomaeError when the file system refuses
 */
export function continueFolder(folder: string, start: StartingPoint | undefined, anew: boolean): ContinuedFolder {
  const logFile = path.join(folder, "log.jsonl");
  const own = start !== undefined && realpathSync(path.dirname(start.path)) === realpathSync(folder);
  const other = start !== undefined && !own;
  const last = own ? start.step : -1;
  const checkpoints = listCheckpoints(folder).filter(({ step }) => step > last);
  const bestPath = bestCheckpointPath(folder);
  const stale = checkpoints.map((file) => file.path);
  if (existsSync(bestPath) && stepOf(bestPath) > last) stale.push(bestPath);
  if (anew || other) stale.push(...recordsOf(folder));
  const notes: string[] = [];
  if (stale.length > 0) {
    const aside = setAside(folder, stale);
    if (existsSync(logFile)) copyFileSync(logFile, path.join(aside, "log.jsonl"));
    notes.push(`moved to ${aside}, because this run does not go on from them: ${names(stale)}`);
  }
  const log = openJsonl(logFile, { bytes: own ? start.logBytes : 0 });
  return { log, best: own && holdsBest(folder, start.best) ? start.best : undefined, notes };
}

function holdsBest(folder: string, best: BestCheckpoint | undefined): boolean {
  if (best === undefined) return false;
  if (existsSync(checkpointPath(folder, best.step))) return true;
  const path = bestCheckpointPath(folder);
  return existsSync(path) && stepOf(path) === best.step;
}

/** The updates behind a checkpoint; beyond any other when it cannot be read. */
function stepOf(file: string): number {
  try {
    using checkpoint = openCheckpoint(file, { verify: false });
    return checkpoint.state.step;
  } catch (error) {
    if (isDamage(error)) return Number.POSITIVE_INFINITY;
    throw error;
  }
}

/** The log, what TensorBoard shows of it, and the batches of skipped updates. */
function recordsOf(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => name === "log.jsonl" || /^(incident-\d+|events\.out\.tfevents)\./.test(name))
    .map((name) => path.join(folder, name))
    .filter((file) => statSync(file).size > 0);
}

function names(files: readonly string[]): string {
  return files.map((file) => path.basename(file)).join(", ");
}
