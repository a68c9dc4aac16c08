#!/usr/bin/env node
// Builds the native tests and runs every executable named *_test, that of the ops on the emulator too, with its threads in
// two orders, in one of them with kernels that may begin before those ahead have ended. An executable prints `ok <name>` or `FAILED <name>`,
// a line a case; its other output is shown only when it fails. A crash without a FAILED line counts as one failure.
// With --sanitize the same tests run under the address and undefined-behaviour sanitizers.
import { execFile } from "node:child_process";
import { accessSync, constants, readdirSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { buildNative } from "./build-native.mjs";
import { inParallel } from "./in-parallel.mjs";

/** What one executable's output and exit status amount to. */
export function countCases(output, status) {
  const passed = output.match(/^ok \S.*$/gm)?.length ?? 0;
  const named = output.match(/^FAILED \S.*$/gm)?.length ?? 0;
  const silent = named === 0 && (status !== 0 || passed === 0);
  return { passed, failed: named + (silent ? 1 : 0) };
}

/** Ops made of matrix products. */
const PRODUCTS = ["linear", "linearBackward", "matmul", "embedVisible"];

/** Runs besides the one without arguments, by executable; the emulator is not there under the sanitizers. */
const MORE_RUNS = {
  conformance_test: [
    { argv: ["--device", "emu"], env: { VIDEOMAE_EMU_ORDER: "forward" } },
    {
      argv: ["--device", "emu"],
      env: { VIDEOMAE_EMU_ORDER: "reversed", VIDEOMAE_CUDA_VARIANTS: "launch=programmatic" },
    },
    ...["wgmma-128x256", "wgmma-128x128"].map((variant) => ({
      argv: ["--device", "emu", ...PRODUCTS],
      env: { VIDEOMAE_CUDA_VARIANTS: `gemm=${variant}` },
    })),
  ],
};

/** Executables that take longest: they begin first, so that no processor waits for them at the end. */
const LONGEST = ["conformance_test", "gemm_test"];

/** The executables named *_test below `folder`, the longest first, the others in the order of their names. */
function findTests(folder) {
  const found = [];
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) {
      if (entry.name !== "CMakeFiles") found.push(...findTests(file));
    } else if (entry.name.endsWith("_test") && isExecutable(file)) {
      found.push(file);
    }
  }
  const rank = (file) => LONGEST.indexOf(path.basename(file));
  return found.sort((a, b) => rank(b) - rank(a) || a.localeCompare(b));
}

function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Runs one executable; its title, counts, and what is to be printed. */
function runTest({ file, argv, env }) {
  const title = [path.basename(file), ...argv, ...Object.values(env)].join(" ");
  const started = performance.now();
  const options = { maxBuffer: 2 ** 28, env: { ...process.env, ...env } };
  return new Promise((resolve) => {
    execFile(file, argv, options, (error, stdout, stderr) => {
      const output = stdout + stderr;
      const counts = countCases(output, error ? 1 : 0);
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      const lines = [`${title}: ${counts.passed} passed, ${counts.failed} failed (${seconds} s)`];
      if (counts.failed > 0) {
        const ending = error?.signal ? `killed by ${error.signal}` : `exit status ${error?.code ?? 0}`;
        lines.push(output.trimEnd(), `${title}: ${ending}`);
      }
      resolve({ ...counts, report: lines.join("\n") });
    });
  });
}

async function main(argv) {
  const work = buildNative(["--tests", ...argv]);
  const tests = findTests(work).flatMap((file) => {
    const more = argv.includes("--sanitize") ? [] : (MORE_RUNS[path.basename(file)] ?? []);
    return [{ argv: [], env: {} }, ...more].map((run) => ({ file, ...run }));
  });
  const totals = { passed: 0, failed: 0 };
  // Most of them keep one processor busy: the emulator runs a whole GPU on one thread.
  await inParallel(tests, async (test) => {
    const { passed, failed, report } = await runTest(test);
    totals.passed += passed;
    totals.failed += failed;
    console.log(report);
  });
  if (totals.passed + totals.failed === 0) {
    console.log(`native: no executable named *_test in ${work}`);
    return 1;
  }
  console.log(`native: ${totals.passed} passed, ${totals.failed} failed`);
  return totals.failed > 0 ? 1 : 0;
}

if (process.argv[1] && path.resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  try {
    process.exitCode = await main(process.argv.slice(2));
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}
