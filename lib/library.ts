// Libraries loaded when they are first used. Together they take several times as long to load as the rest of the package,
// and most programs use few of them. Where a function is asynchronous, `await import(...)` does the same.

import { createRequire } from "node:module";
import { lazy } from "./lazy.js";

const require = createRequire(import.meta.url);

/**
 * A library by its name, as a function that loads it at its first call.
 * @param name  one that `require` finds, too
 */
export function library<L extends object>(name: string): () => L {
  return lazy(() => require(name) as L);
}

/** Parts of Node that take milliseconds to load, likewise. */
export const childProcess = library<typeof import("node:child_process")>("node:child_process");
export const cryptography = library<typeof import("node:crypto")>("node:crypto");
export const readline = library<typeof import("node:readline")>("node:readline");
export const workerThreads = library<typeof import("node:worker_threads")>("node:worker_threads");
export const zlib = library<typeof import("node:zlib")>("node:zlib");
