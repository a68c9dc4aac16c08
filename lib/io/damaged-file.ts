// The error of a file whose content is not what it should be: damaged, cut short, or of another kind. Whoever has an
// older file to go on from can tell it from the errors of options and of the file system.

import { VideomaeError } from "../errors.js";

export class DamagedFileError extends VideomaeError {}

/** Whether reading failed because of what the file, or the disk under it, holds. */
export function isDamage(error: unknown): boolean {
  if (error instanceof DamagedFileError) return true;
  return error instanceof VideomaeError && (error.cause as NodeJS.ErrnoException | undefined)?.code === "EIO";
}
