// Writing a file so that a reader, or a crash at any moment, sees the old file or the whole new one, never a part:
// write a temporary file in the same folder, flush it to disk, rename it over the target, flush the folder. A process
// that is killed meanwhile leaves its temporary file, `.<name>.<process>-<number>.tmp`, for `removeLeftovers` to find.

import {
  closeSync,
  copyFileSync,
  fsyncSync,
  linkSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { VideomaeError } from "../errors.js";

/** Appends bytes to the file being written. */
export type ByteSink = (bytes: Uint8Array) => void;

const CHUNK = 2 ** 28; // one write call takes less than 2 GiB

let serial = 0;

/**
 * Replaces `path` by what `write` puts into its sink. On any failure the temporary file is removed and an existing file
 * at `path` is untouched.
 *
 * @throws VideomaeError that names the path when the file system refuses; whatever `write` itself throws.
 */
export function writeFileAtomic(path: string, write: (sink: ByteSink) => void): void {
  replace("write", path, (temporary) => {
    const file = openSync(temporary, "wx");
    try {
      write((bytes) => writeAll(file, bytes));
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  });
}

/**
 * Makes `path` another name of the file `existing`, atomically: a hard link, or a copy where the file system has none.
 *
 * @throws VideomaeError that names the path when the file system refuses
 */
export function linkFileAtomic(existing: string, path: string): void {
  replace("link", path, (temporary) => {
    try {
      linkSync(existing, temporary);
    } catch (cause) {
      if (!["EPERM", "ENOTSUP", "ENOSYS", "EMLINK"].includes((cause as NodeJS.ErrnoException).code ?? "")) throw cause;
      copyFileSync(existing, temporary);
      const copy = openSync(temporary, "r");
      try {
        fsyncSync(copy);
      } finally {
        closeSync(copy);
      }
    }
  });
}

/** Has `make` make a temporary file and renames it to `path`. */
function replace(operation: string, path: string, make: (temporary: string) => void): void {
  const folder = dirname(path);
  const temporary = join(folder, `.${basename(path)}.${process.pid}-${serial++}.tmp`);
  try {
    make(temporary);
    renameSync(temporary, path);
    tryRemove(temporary); // it is still there when both were names of one file: renaming does nothing then
    flushFolder(folder);
  } catch (cause) {
    tryRemove(temporary);
    throw explainFileError(operation, path, cause);
  }
}

/** Removes the temporary files that killed processes left in a folder, and returns their names. */
export function removeLeftovers(folder: string): string[] {
  return readdirSync(folder).filter((name) => {
    const writer = /^\..+\.(\d+)-\d+\.tmp$/.exec(name)?.[1];
    return writer !== undefined && !isRunning(Number(writer)) && tryRemove(join(folder, name));
  });
}

function isRunning(process_: number): boolean {
  if (process_ === process.pid) return false; // nothing of ours is under way when this is called
  try {
    process.kill(process_, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

/** A temporary file that cannot be removed now does no harm: it is found again at the next start. */
function tryRemove(path: string): boolean {
  try {
    rmSync(path, { force: true });
    return true;
  } catch {
    return false;
  }
}

/** Wraps a file-system error into one that names the path and says what to do; anything else is returned as it is. */
export function explainFileError(operation: string, path: string, cause: unknown): unknown {
  const { code } = cause as NodeJS.ErrnoException;
  if (!(cause instanceof Error) || typeof code !== "string" || !("syscall" in cause)) return cause;
  const [got, hint] = reasons[code] ?? [cause.message, undefined];
  return new VideomaeError({ op: `${operation} ${path}`, got, hint, cause });
}

const reasons: Record<string, readonly [got: string, hint: string]> = {
  ENOSPC: ["no space left on the disk", "free some space, or write to another disk"],
  EDQUOT: ["the disk quota is used up", "free some space, or write to another disk"],
  EFBIG: ["the file is larger than files may be here", "raise the limit with ulimit -f, or write to another disk"],
  EROFS: ["a read-only file system", "choose a folder on a writable disk"],
  EACCES: ["permission denied", "check the owner and permissions of the file and its folder"],
  EPERM: ["operation not permitted", "check the owner and permissions of the file and its folder"],
  ENOENT: ["no such file or folder", "check the path; a folder to write to must exist"],
  ENOTDIR: ["a part of the path is not a folder", "check the path"],
  EISDIR: ["the path is a folder", "give the path of a file"],
  EMFILE: ["too many open files", "close some files or raise the limit with ulimit -n"],
  EIO: ["the disk failed", "copy what is there to another disk"],
};

function writeAll(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.byteLength; ) at += writeSync(file, bytes, at, Math.min(CHUNK, bytes.byteLength - at));
}

/** Makes the rename durable. Some network file systems cannot flush a folder; there the rename is all there is. */
export function flushFolder(folder: string): void {
  const handle = openSync(folder, "r");
  try {
    fsyncSync(handle);
  } catch (error) {
    if (!["EINVAL", "ENOTSUP", "EBADF"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
  } finally {
    closeSync(handle);
  }
}
