// What was measured of kernels: the table in a file, which devices take their choices from (tensor/kernel-table.ts), and as
// text.
import { mkdirSync, rmSync } from "node:fs";
import path from "node:path";
import type { KernelMeasurement } from "../addon/binding.js";
import { explainFileError, writeFileAtomic } from "../io/atomic-file.js";
import {
  emptyKernelTable,
  type KernelTable,
  kernelTableFile,
  type MeasuredVariant,
  type MeasuredWork,
  readKernelTable,
} from "../tensor/kernel-table.js";
import { textTable } from "./text-table.js";

/** What is measured, by work: all variants, and the fastest of those that are worth other bits. */
export function measuredWorks(measurements: readonly KernelMeasurement[]): Record<string, MeasuredWork> {
  const works: Record<string, MeasuredWork> = {};
  const gains = new Map<string, number>();
  for (const one of measurements) {
    const { work, op, standard, variant, faster, standardMs, variantMs, difference, failure } = one;
    const before = works[work] ?? { op, standard, chosen: standard, variants: {} };
    const better = faster && variantMs / standardMs < (gains.get(work) ?? 1);
    if (better) gains.set(work, variantMs / standardMs);
    works[work] = {
      ...before,
      chosen: better ? variant : before.chosen,
      variants: { ...before.variants, [variant]: { standardMs, variantMs, difference, failure } },
    };
  }
  return works;
}

/** A GPU whose kernels were measured. */
export interface MeasuredGpu {
  readonly name: string;
  readonly software: string;
}

/** What was written, and what became of what was there. */
export interface StoredKernels {
  readonly file: string;
  readonly table: KernelTable;
  /** Why earlier measurements were left out; undefined where they were kept, or where there were none. */
  readonly dropped?: string;
}

/**
 * Adds measurements to the table of a GPU. Earlier ones are kept where they are of the same GPU, software and package.
 * @throws VideomaeError when the file system refuses
 */
export function storeKernels(gpu: MeasuredGpu, works: Readonly<Record<string, MeasuredWork>>): StoredKernels {
  const file = kernelTableFile(gpu.name);
  const fresh = emptyKernelTable(gpu.name, gpu.software);
  const { earlier, dropped } = earlierWorks(file, fresh);
  const table = { ...fresh, works: { ...earlier, ...works } };
  try {
    mkdirSync(path.dirname(file), { recursive: true });
  } catch (cause) {
    throw explainFileError("write", file, cause);
  }
  writeFileAtomic(file, (sink) => sink(new TextEncoder().encode(`${JSON.stringify(table, undefined, 2)}\n`)));
  return { file, table, dropped };
}

/** What a file has that can be kept beside what was measured now. */
function earlierWorks(file: string, now: KernelTable): { earlier: KernelTable["works"]; dropped?: string } {
  let before: KernelTable;
  try {
    before = readKernelTable(file);
  } catch (error) {
    const absent = ((error as Error).cause as NodeJS.ErrnoException)?.code === "ENOENT";
    return { earlier: {}, dropped: absent ? undefined : "they could not be read" };
  }
  const other = (["gpu", "software", "package"] as const).find((field) => before[field] !== now[field]);
  if (other === undefined) return { earlier: before.works };
  return { earlier: {}, dropped: `${other} was ${before[other]}, and is ${now[other]}` };
}

/** Removes the table of a GPU; its file, or undefined where there was none. */
export function forgetKernels(gpu: string): string | undefined {
  const file = kernelTableFile(gpu);
  try {
    rmSync(file);
    return file;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw explainFileError("remove", file, cause);
  }
}

/** A table for a terminal: every piece of work with its fastest variant, and below it what does not agree. */
export function kernelReport(works: Readonly<Record<string, MeasuredWork>>): string {
  const entries = Object.entries(works);
  const rows = entries.map(([work, { op, standard, chosen, variants }]) => {
    const agreeing = Object.entries(variants).filter(([, { failure }]) => failure === "");
    const [best] = agreeing.sort(([, a], [, b]) => ratioOf(a) - ratioOf(b));
    const agrees = `${agreeing.length} of ${Object.keys(variants).length}`;
    if (best === undefined) return [work, op, standard, "", "", "", "", agrees, chosen];
    const [name, times] = best;
    return [
      ...[work, op, standard, microseconds(times.standardMs), name, microseconds(times.variantMs)],
      ...[ratioOf(times).toFixed(2), agrees, chosen],
    ];
  });
  const head = ["work", "in", "default", "us", "best other", "us", "ratio", "agree", "chosen"];
  const failures = entries.flatMap(([work, { variants }]) =>
    Object.entries(variants).flatMap(([name, { failure }]) => (failure ? [`${work}: ${name}: ${failure}`] : [])),
  );
  return [textTable(head, rows), ...failures].join("\n");
}

const ratioOf = ({ standardMs, variantMs }: MeasuredVariant) => variantMs / standardMs;
const microseconds = (ms: number) => (1000 * ms).toFixed(ms < 0.1 ? 1 : 0);
