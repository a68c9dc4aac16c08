// Which kernels a GPU computes by: those that were measured on it, or the default ones.

import type { DeviceList } from "../tensor/devices.js";
import { choicesOf, type FoundKernelTable, findKernelTable } from "../tensor/kernel-table.js";
import { type Finding, fine, reasonOf } from "./finding.js";

/** The table of the first GPU, or why there cannot be one; undefined where no GPU can be used. */
export function findGpuTable(
  found: DeviceList | undefined,
): FoundKernelTable | { readonly failed: string } | undefined {
  const name = found?.devices.find(({ device }) => device !== "cpu")?.name;
  if (name === undefined) return undefined;
  try {
    return findKernelTable(name);
  } catch (error) {
    return { failed: reasonOf(error) };
  }
}

const MEASURE = "videomae tune measures which kernels are fastest for your model and batch size";

export function examineKernelTable(found: FoundKernelTable | { readonly failed: string } | undefined): Finding {
  const check = "kernel table";
  const details = { found };
  if (found === undefined) return fine(check, "not needed without a GPU", details);
  if ("failed" in found) {
    const fix = "measure again with videomae tune, or videomae tune --forget";
    return { check, status: "problem", found: "cannot be used", cause: found.failed, fix, details };
  }
  if (found.state === "off") return fine(check, "not used: VIDEOMAE_KERNELS=off", details);
  if (found.state === "none") return fine(check, `none: ${MEASURE}`, details);
  if (found.state === "outdated") {
    return {
      check,
      status: "warning",
      found: "not used",
      cause: `${found.file}: ${found.reason}`,
      fix: MEASURE,
      details,
    };
  }
  const { table, file } = found;
  const all = Object.keys(table.works).length;
  const others = choicesOf(table).length;
  return fine(
    check,
    `of ${table.date}: ${others} of ${all} pieces of work by another kernel than the default; ${file}`,
    details,
  );
}
