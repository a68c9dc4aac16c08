// The checkpoints of a run's folder: files named `checkpoint-<step>.safetensors`, ordered by step as a number. Anything
// else in the folder, temporary files among it, is ignored.

import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { VideomaeError } from "../errors.js";
import { explainFileError } from "./atomic-file.js";

export interface CheckpointFile {
  readonly step: number;
  readonly path: string;
}

/** The path of the checkpoint after `step` optimiser steps. */
export function checkpointPath(folder: string, step: number): string {
  return join(folder, `checkpoint-${step}.safetensors`);
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
