// The checkpoints of a run's folder: files named `checkpoint-<step>.safetensors`, ordered by step as a number, and
// `checkpoint-best.safetensors`, a second name of the best of them. The last one is that of the largest step. Anything
// else in the folder, temporary files among it, is ignored.

import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { VideomaeError } from "../errors.js";
import { explainFileError, linkFileAtomic } from "./atomic-file.js";

/** A checkpoint of a run, and the optimiser step that it was made after. */
export interface CheckpointFile {
  readonly step: number;
  readonly path: string;
}

/** The path of the checkpoint after `step` optimiser steps. */
export function checkpointPath(folder: string, step: number): string {
  return join(folder, `checkpoint-${step}.safetensors`);
}

/** The path under which a folder's best checkpoint is found. */
export function bestCheckpointPath(folder: string): string {
  return join(folder, "checkpoint-best.safetensors");
}

/** All checkpoints of a folder, ascending by step; none when the folder does not exist. */
export function listCheckpoints(folder: string): CheckpointFile[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw explainFileError("list", folder, cause);
  }
  const files = names.flatMap((name) => {
    const match = /^checkpoint-(\d+)\.safetensors$/.exec(name);
    return match ? [{ step: Number(match[1]), path: join(folder, name) }] : [];
  });
  return files.sort((a, b) => a.step - b.step);
}

/** The checkpoint of the largest step, or undefined when there is none. */
export function latestCheckpoint(folder: string): CheckpointFile | undefined {
  return listCheckpoints(folder).at(-1);
}

/**
 * Makes the checkpoint of a step the folder's best one, so that it survives the removal of its numbered file. Where that
 * is gone, or the best one already, nothing changes.
 * @throws VideomaeError when the file system refuses
 */
export function markBest(folder: string, step: number): void {
  const [best, numbered] = [bestCheckpointPath(folder), checkpointPath(folder, step)];
  const [now, next] = [best, numbered].map((path) => statSync(path, { throwIfNoEntry: false }));
  if (next === undefined || (now?.ino === next.ino && now.dev === next.dev)) return;
  linkFileAtomic(numbered, best);
}

/** Removes all but the newest `keep` checkpoints and returns the removed ones. Call it after a new one is written. */
export function retainCheckpoints(folder: string, keep: number): CheckpointFile[] {
  if (!(keep >= 1)) {
    const hint = "Infinity keeps them all";
    throw new VideomaeError({ op: "retainCheckpoints keep", expected: "at least 1", got: String(keep), hint });
  }
  const files = listCheckpoints(folder);
  const removed = files.slice(0, Math.max(0, files.length - keep));
  for (const { path } of removed) {
    try {
      rmSync(path, { force: true });
    } catch (cause) {
      throw explainFileError("remove", path, cause);
    }
  }
  return removed;
}

/**
 * Moves files of a folder into a new folder below it, `previous-<number>`, and returns its path.
 * @throws VideomaeError when the file system refuses
 */
export function setAside(folder: string, paths: readonly string[]): string {
  let number = 1;
  while (existsSync(join(folder, `previous-${number}`))) number++;
  const aside = join(folder, `previous-${number}`);
  try {
    mkdirSync(aside);
    for (const path of paths) renameSync(path, join(aside, basename(path)));
  } catch (cause) {
    throw explainFileError("move files to", aside, cause);
  }
  return aside;
}
