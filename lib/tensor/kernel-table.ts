// The file that says which kernels were fastest on a GPU: one for each GPU, of a user. `videomae tune` writes it, and a
// device takes from it what it computes by (kernels.ts). Results of other kernels differ in their last bits.
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import path from "node:path";
import { VideomaeError } from "../errors.js";
import { manifest } from "../manifest.js";

const SCHEMA = "videomae.kernels/1";

/** A variant of a piece of work against the default. */
export interface MeasuredVariant {
  /** Milliseconds of the op with the default and with the variant, medians; 0 where results do not agree. */
  readonly standardMs: number;
  readonly variantMs: number;
  /** Root mean square of the difference of results, as a part of that of the default's. */
  readonly difference: number;
  /** Why results do not agree; "" where they do. */
  readonly failure: string;
}

/** A piece of work as it was measured. */
export interface MeasuredWork {
  /** The op that it was met in. */
  readonly op: string;
  /** The kernel that is taken where nothing else is known. */
  readonly standard: string;
  /** That one, or a variant that was faster every time and whose results agree. */
  readonly chosen: string;
  readonly variants: Readonly<Record<string, MeasuredVariant>>;
}

/** Which kernels were fastest on a GPU. */
export interface KernelTable {
  readonly schema: typeof SCHEMA;
  readonly gpu: string;
  /** The versions of CUDA and of the driver that it was measured with. */
  readonly software: string;
  /** The version of this package whose kernels were measured; others do not use the table. */
  readonly package: string;
  /** When it was last measured. */
  readonly date: string;
  /** By the name of the work, e.g. "gemm nt 5120 3072 768". */
  readonly works: Readonly<Record<string, MeasuredWork>>;
}

/** What there is for a GPU: a table that is used, or why none is. */
export type FoundKernelTable = { readonly file: string } & (
  | { readonly state: "used"; readonly table: KernelTable }
  | { readonly state: "none" }
  | { readonly state: "off" }
  | { readonly state: "outdated"; readonly reason: string }
);

/** Where the table of a GPU of this name lies, in VIDEOMAE_CACHE or else in the user's folder of caches. */
export function kernelTableFile(gpu: string, env: NodeJS.ProcessEnv = process.env): string {
  const { VIDEOMAE_CACHE: own, XDG_CACHE_HOME: caches } = env;
  const folder = own || path.join(caches || path.join(homedir(), ".cache"), "videomae");
  const slug = gpu.toLowerCase().replace(/[^a-z0-9]+/g, "-");
  return path.join(folder, `kernels-${slug.replace(/^-|-$/g, "")}.json`);
}

/** An empty table of a GPU. */
export function emptyKernelTable(gpu: string, software: string): KernelTable {
  const date = `${new Date().toISOString().slice(0, 19)}Z`;
  return { schema: SCHEMA, gpu, software, package: manifest().version, date, works: {} };
}

/**
 * Looks for the table of a GPU.
 * @throws VideomaeError when the file is damaged, and when VIDEOMAE_KERNELS asks for something unknown
 */
export function findKernelTable(gpu: string): FoundKernelTable {
  const file = kernelTableFile(gpu);
  const asked = process.env.VIDEOMAE_KERNELS ?? "";
  if (asked === "off") return { file, state: "off" };
  if (asked !== "") {
    const hint = "unset it to use the table";
    throw new VideomaeError({ op: "VIDEOMAE_KERNELS", expected: "off, or nothing", got: asked, hint });
  }
  if (!existsSync(file)) return { file, state: "none" };
  const table = readKernelTable(file);
  const version = manifest().version;
  if (table.gpu !== gpu) return { file, state: "outdated", reason: `it was measured on another GPU, ${table.gpu}` };
  if (table.package !== version) {
    return { file, state: "outdated", reason: `it was measured by version ${table.package}; this is ${version}` };
  }
  return { file, state: "used", table };
}

/** @throws VideomaeError when it is damaged, or cannot be read */
export function readKernelTable(file: string): KernelTable {
  let table: KernelTable;
  try {
    table = JSON.parse(readFileSync(file, "utf8"));
  } catch (cause) {
    throw damagedTable(file, (cause as Error).message, cause);
  }
  if (table?.schema !== SCHEMA) throw damagedTable(file, "something else");
  for (const field of ["gpu", "software", "package", "date"] as const) {
    if (typeof table[field] !== "string") throw damagedTable(file, `no ${field}`);
  }
  if (typeof table.works !== "object" || table.works === null) throw damagedTable(file, "no works");
  for (const [work, one] of Object.entries(table.works)) {
    const whole = typeof one?.standard === "string" && typeof one.chosen === "string";
    if (!whole) throw damagedTable(file, `no choice for ${work}`);
  }
  return table;
}

export function damagedTable(file: string, got: string, cause?: unknown): VideomaeError {
  return new VideomaeError({
    ...{ op: file, expected: `a table of kernels (${SCHEMA})`, got, cause },
    hint: "measure again with videomae tune, or remove it with videomae tune --forget; VIDEOMAE_KERNELS=off does without",
  });
}

/** The work that another kernel than the default is chosen for, and which. */
export function choicesOf(table: KernelTable): [work: string, variant: string][] {
  return Object.entries(table.works).flatMap(([work, { standard, chosen }]) =>
    chosen === standard ? [] : [[work, chosen] as [string, string]],
  );
}
