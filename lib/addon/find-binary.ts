// Which file the native binary is: one built on this machine, else the prebuilt one of the package. A file that does not
// load is passed over; where none loads, every place is told with its cause and what to do about it.

import { existsSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { VideomaeError } from "../errors.js";
import { packageRoot } from "../manifest.js";
import { BUILD_HERE, explainLoadError, type LoadFailure } from "./load-failure.js";

/** A place where no binary was found that loads: a folder, or a file. */
export interface FailedPlace extends LoadFailure {
  readonly place: string;
}

export interface BinarySearch {
  /** Undefined where no binary loads. */
  readonly binary?: { readonly file: string; readonly module: object };
  /** The places before it, or all of them. */
  readonly failed: readonly FailedPlace[];
}

const require = createRequire(import.meta.url);

/**
 * Looks for a binary that loads, and loads it.
 * @param root  folder of the package
 */
export function findBinary(root = packageRoot): BinarySearch {
  const failed: FailedPlace[] = [];
  for (const folder of [path.join("build", "Release"), path.join("build", "Debug"), prebuiltFolder()]) {
    const files = binariesIn(path.join(root, folder));
    const empty = files.length === 0 && whyEmpty(root, folder);
    if (empty) failed.push({ place: folder, ...empty });
    for (const name of files) {
      const file = path.join(root, folder, name);
      try {
        return { binary: { file, module: require(file) }, failed };
      } catch (error) {
        const prebuilt = folder === prebuiltFolder();
        failed.push({ place: path.join(folder, name), ...explainLoadError((error as Error).message, { prebuilt }) });
      }
    }
  }
  return { failed };
}

/** Every cause with its remedy, as one error. */
export function noBinary({ failed }: BinarySearch): VideomaeError {
  return new VideomaeError({
    op: "videomae",
    expected: `a native binary for ${process.platform}-${process.arch} that loads`,
    got: failed.map(({ place, cause, fix }) => `${place}: ${cause} (${fix})`).join("; "),
    hint: "videomae doctor looks at all that a run needs",
  });
}

/** Named as prebuildify does. */
function prebuiltFolder(): string {
  return path.join("prebuilds", `${process.platform}-${process.arch}`);
}

function binariesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".node")) : [];
}

/** Undefined for the place that only developers of the package use. */
function whyEmpty(root: string, folder: string): LoadFailure | undefined {
  if (path.basename(folder) === "Debug") return undefined;
  if (folder !== prebuiltFolder()) return { cause: "nothing was built on this machine", fix: BUILD_HERE };
  const all = path.join(root, "prebuilds");
  const there = existsSync(all) ? readdirSync(all).filter((name) => binariesIn(path.join(all, name)).length > 0) : [];
  return there.length === 0
    ? { cause: "this copy of the package has no prebuilt binaries", fix: "install the package from its registry" }
    : { cause: `there is a prebuilt binary for ${there.join(", ")} alone`, fix: BUILD_HERE };
}
