// The native binary: which file it is, and when none loads, every place that was tried, why it failed and what to do.

import path from "node:path";
import { findBinary } from "../addon/find-binary.js";
import { packageRoot } from "../manifest.js";
import { type Finding, fine } from "./finding.js";

/**
 * Looks for the binary and loads it.
 * @param root  folder of the package
 */
export function examineAddon(root = packageRoot): Finding {
  const { binary, failed } = findBinary(root);
  const details = { file: binary?.file, failed };
  if (binary) {
    const file = path.relative(root, binary.file);
    const how = file.startsWith("prebuilds") ? "prebuilt" : "built on this machine";
    return fine("native binary", `${file}, ${how}`, details);
  }
  return {
    ...{ check: "native binary", status: "problem", found: "none" },
    cause: failed.map(({ place, cause }) => `${place}: ${cause}`).join("; "),
    fix: [...new Set(failed.map(({ fix }) => fix))].join("; or "),
    details,
  };
}
