#!/usr/bin/env node
// Takes home what a run on a lent GPU brought back: measured rows become a dated file in bench/results, the mappings
// that the probes observed become golden files. Rows are checked against bench/row.ts first; nothing is overwritten
// unless a golden file changes, which is said.
//
//   node scripts/gpu-collect.mjs FOLDER        (npm run gpu:collect builds what it needs)
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";

const root = path.resolve(import.meta.dirname, "..");

/** Rows that tell how a run went, not what was measured. */
const ACCOUNT = ["run", "stage", "command", "tool", "golden", "unavailable"];
