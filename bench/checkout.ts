// The folder of the checkout, whether this runs as TypeScript in bench/ or compiled in build/bench/.
import { existsSync } from "node:fs";
import path from "node:path";

export const checkout = rootAbove(import.meta.dirname);

/** Where measured rows are kept. */
export const resultsFolder = path.join(checkout, "bench", "results");

function rootAbove(folder: string): string {
  return existsSync(path.join(folder, "package.json")) ? folder : rootAbove(path.dirname(folder));
}
