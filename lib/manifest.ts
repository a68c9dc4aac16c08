// The package itself: the folder it lies in, and what its package.json says.
import { readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

/** The checkout, or where the package is installed; dist/ lies in it. */
export const packageRoot = path.resolve(fileURLToPath(new URL("..", import.meta.url)));

export interface Manifest {
  readonly version: string;
  readonly engines: { readonly node: string };
}

export function manifest(): Manifest {
  return JSON.parse(readFileSync(path.join(packageRoot, "package.json"), "utf8"));
}
