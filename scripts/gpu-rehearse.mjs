#!/usr/bin/env node
// Runs the bundle as a bare machine would, as far as a machine without a GPU allows: copied elsewhere, with an empty
// environment and only the system's programs (and --path's) on PATH. Fails when a stage fails, when what must work
// anywhere left no result, or when more comes back than a lent machine may send.
//
//   node scripts/gpu-rehearse.mjs [--budget 240] [--path FOLDER] [--keep FOLDER]
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";

const root = path.resolve(import.meta.dirname, "..");
const { values } = parseArgs({
  options: { budget: { type: "string", default: "240" }, path: { type: "string" }, keep: { type: "string" } },
});

const folder = mkdtempSync(path.join(tmpdir(), "gpu-rehearsal-"));
const problems = [];
const expect = (condition, what) => {
  if (!condition) problems.push(what);
};
try {
  const bundle = path.join(folder, "bundle");
  const out = path.join(folder, "results");
  for (const name of ["run.sh", "node.tar.xz", "checkout.tar.xz"]) {
    cpSync(path.join(root, "build", "gpu-bundle", name), path.join(bundle, name));
  }
  const begun = performance.now();
  const argv = ["bash", path.join(bundle, "run.sh"), "--budget", values.budget, "--out", out, "--rehearse"];
  const search = [values.path, "/usr/bin", "/bin"].filter(Boolean).join(":");
  const env = [`PATH=${search}`, `HOME=${folder}`, `TMPDIR=${folder}`];
  const { status } = spawnSync("env", ["-i", ...env, ...argv], {
    stdio: ["ignore", "inherit", "inherit"],
    cwd: folder,
  });
  const seconds = (performance.now() - begun) / 1000;
  expect(status === 0, `run.sh ended with ${status}`);
  expect(seconds < Number(values.budget) + 20, `it took ${seconds.toFixed(0)} s of ${values.budget}`);

  const files = readdirSync(out).map((name) => path.join(out, name));
  expect(files.length <= 8, `${files.length} files, at most 8 come back`);
  for (const file of files) expect(statSync(file).size < 16e6, `${path.basename(file)} has 16 MB or more`);
  const rows = readFileSync(path.join(out, "rows.jsonl"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  const stages = rows.filter(({ bench }) => bench === "stage");
  const names = ["machine", "probes", "conformance", "training", "kernels", "benchmarks", "peers", "sanitizer"];
  expect(`${stages.map(({ stage }) => stage)}` === `${names}`, `the stages were ${stages.map(({ stage }) => stage)}`);
  const due = { conformance: 2, training: 4 };
  for (const [bench, count] of Object.entries(due)) {
    const verdicts = rows
      .filter((row) => row.bench === bench && row.system === "videomae")
      .map(({ verdict }) => verdict);
    expect(
      verdicts.length === count && verdicts.every((verdict) => verdict === "as expected"),
      `${bench}: ${verdicts}`,
    );
  }
  expect(
    files.some((file) => file.endsWith("reconstruction.webp")),
    "no picture of a reconstruction",
  );
  if (values.keep) cpSync(out, values.keep, { recursive: true });
  console.log(`rehearsal: ${rows.length} rows in ${files.length} files, ${seconds.toFixed(0)} s`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
for (const problem of problems) console.error(`rehearsal: ${problem}`);
process.exitCode = problems.length > 0 ? 1 : 0;
