// Outputs at a path that must be free: nothing that exists is replaced, and what is written appears whole or not at all.

import { lstatSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { VideomaeError } from "../errors.js";
import { explainFileError, flushFolder } from "./atomic-file.js";

/** @throws VideomaeError when something is at `path` already */
export function requireFree(path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return;
  throw new VideomaeError({
    op: `write ${path}`,
    expected: "a path with nothing at it",
    got: "one that exists",
    hint: "choose another name, or remove what is there",
  });
}

/**
 * Makes a folder with what `write` puts into it. It is filled under another name, `.<name>.<process>.tmp`, and renamed; on
 * any failure nothing is left.
 * @param write  is given the folder's temporary path
 * @throws VideomaeError when the path is taken or the file system refuses; whatever `write` itself throws
 */
export function writeFolderAtomic(path: string, write: (folder: string) => void): void {
  requireFree(path);
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.tmp`);
  try {
    mkdirSync(temporary);
    write(temporary);
    renameSync(temporary, path);
    flushFolder(dirname(path));
  } catch (cause) {
    rmSync(temporary, { recursive: true, force: true });
    throw explainFileError("write", path, cause);
  }
}
