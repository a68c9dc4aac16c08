// What tells one state of a file from another, so that what was learnt of it can be kept.

import { statSync } from "node:fs";
import { VideomaeError } from "../errors.js";

/** Path, size and time of change. Throws when the file is missing or empty. */
export function fileIdentity(path: string): string {
  const stat = fileStatus(path);
  if (!stat.isFile()) throw new VideomaeError({ op: path, expected: "a video file", got: "something not a file" });
  if (stat.size === 0) throw new VideomaeError({ op: path, expected: "a video file", got: "an empty file" });
  return `${path}\0${stat.size}\0${stat.mtimeMs}`;
}

function fileStatus(path: string) {
  try {
    return statSync(path);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    throw new VideomaeError({
      op: path,
      expected: "a video file",
      got: code === "ENOENT" ? "no such file" : `${code}`,
      cause,
    });
  }
}
