// The native binary: which file it is, and when none loads, every place that was tried and why it failed.

import { existsSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { type Finding, fine, reasonOf } from "./finding.js";

const require = createRequire(import.meta.url);
const packageRoot = path.resolve(import.meta.dirname, "..", "..");
const INSTALL =
  "reinstall the package, or build it in its folder with npm run build:native (needs CMake and a C++17 compiler)";

/**
 * Looks for the binary and loads it.
 * @param root  folder of the package
 */
export function examineAddon(root = packageRoot): Finding {
  const places = placesIn(root);
  const tried = places.flatMap((folder) => binariesIn(folder).map((file) => ({ file, error: loadError(file) })));
  const loaded = tried.find(({ error }) => error === undefined);
  const details = { file: loaded?.file, places, tried };
  if (loaded) {
    const how = loaded.file.includes(`${path.sep}prebuilds${path.sep}`) ? "prebuilt" : "built on this machine";
    return fine("native binary", `${path.relative(root, loaded.file)}, ${how}`, details);
  }
  const causes = places.map((folder) => {
    const failures = tried.filter(({ file }) => path.dirname(file) === folder);
    const why = failures.map(({ file, error }) => `${path.basename(file)} does not load (${error})`);
    return `${path.relative(root, folder)}: ${why.length > 0 ? why.join(", ") : existsSync(folder) ? "no binary" : "no such folder"}`;
  });
  return { check: "native binary", status: "problem", found: "none", cause: causes.join("; "), fix: INSTALL, details };
}

/** In the order in which they are looked through when the package is loaded. */
function placesIn(root: string): string[] {
  const prebuilt = path.join("prebuilds", `${process.platform}-${process.arch}`);
  return [path.join("build", "Release"), path.join("build", "Debug"), prebuilt].map((folder) =>
    path.join(root, folder),
  );
}

function binariesIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder).filter((name) => name.endsWith(".node"));
  return names.map((name) => path.join(folder, name));
}

function loadError(file: string): string | undefined {
  try {
    require(file);
    return undefined;
  } catch (error) {
    return reasonOf(error);
  }
}
