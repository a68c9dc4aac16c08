#!/usr/bin/env node
// tsc writes plain files; the command-line entry must be executable when it is run from a checkout.
import { chmodSync } from "node:fs";
import path from "node:path";

chmodSync(path.resolve(import.meta.dirname, "..", "dist", "cli", "main.js"), 0o755);
