// Writing a file so that a reader, or a crash at any moment, sees the old file or the whole new one, never a part:
// write a temporary file in the same folder, flush it to disk, rename it over the target, flush the folder.

import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
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
  const folder = dirname(path);
  const temporary = join(folder, `.${basename(path)}.${process.pid}-${serial++}.tmp`);
  let file: number | undefined;
  try {
    file = openSync(temporary, "wx");
    const open = file;
    write((bytes) => writeAll(open, bytes));
    fsyncSync(file);
    closeSync(file);
    file = undefined;
    renameSync(temporary, path);
    flushFolder(folder);
  } catch (cause) {
    if (file !== undefined) closeSync(file);
    rmSync(temporary, { force: true });
    throw explainFileError("write", path, cause);
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
  EROFS: ["a read-only file system", "choose a folder on a writable disk"],
  EACCES: ["permission denied", "check the owner and permissions of the file and its folder"],
  EPERM: ["operation not permitted", "check the owner and permissions of the file and its folder"],
  ENOENT: ["no such file or folder", "check the path; a folder to write to must exist"],
  ENOTDIR: ["a part of the path is not a folder", "check the path"],
  EISDIR: ["the path is a folder", "give the path of a file"],
  EMFILE: ["too many open files", "close some files or raise the limit with ulimit -n"],
};

function writeAll(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.byteLength; ) at += writeSync(file, bytes, at, Math.min(CHUNK, bytes.byteLength - at));
}

/** Makes the rename durable. Some network file systems cannot flush a folder; there the rename is all there is. */
function flushFolder(folder: string): void {
  const handle = openSync(folder, "r");
  try {
    fsyncSync(handle);
  } catch (error) {
    if (!["EINVAL", "ENOTSUP", "EBADF"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
  } finally {
    closeSync(handle);
  }
}
