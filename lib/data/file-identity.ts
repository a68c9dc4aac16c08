// What tells one state of a file from another, so that what was learnt of it can be kept. Only regular files pass: a pipe
// or a device would block whoever opens it.

import { type Stats, statSync } from "node:fs";
import { VideomaeError } from "../errors.js";

/**
 * Path, size and time of change. Does not open the file.
 * @param expected  what the file should be, for the message
 * @throws VideomaeError when it is missing, empty, or no regular file
 */
export function fileIdentity(path: string, expected = "a video file"): string {
  const fail = (got: string, cause?: unknown): never => {
    throw new VideomaeError({ op: path, expected, got, cause });
  };
  const stat = fileStatus(path, fail);
  if (!stat.isFile()) fail(kindOf(stat));
  if (stat.size === 0) fail("an empty file");
  return `${path}\0${stat.size}\0${stat.mtimeMs}\0${stat.ino}`;
}

function fileStatus(path: string, fail: (got: string, cause: unknown) => never): Stats {
  try {
    return statSync(path);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    return fail(code === "ENOENT" ? "no such file" : `${code}`, cause);
  }
}

function kindOf(stat: Stats): string {
  if (stat.isDirectory()) return "a folder";
  if (stat.isFIFO()) return "a pipe";
  if (stat.isSocket()) return "a socket";
  return "a device";
}
