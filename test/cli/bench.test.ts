// `videomae bench` as a user runs it.
import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { isTimed, readRows } from "#lib/bench/row.js";
import { temporaryFolder } from "../temporary-folder.js";

const main = path.resolve(import.meta.dirname, "../../dist/cli/main.js");
const folder = temporaryFolder();
const bench = (...args: string[]) => promisify(execFile)(process.execPath, [main, "bench", ...args]);
const failing = async (...args: string[]) => {
  const error = await bench(...args).then(
    () => undefined,
    (e: { code: number; stderr: string }) => e,
  );
  expect(error?.code).toBe(1);
  expect(error!.stderr.trim().split("\n")).toHaveLength(1);
  return error!.stderr;
};

it("measures, writes rows that are read again, and compares with them", async () => {
  const file = path.join(folder, "before.jsonl");
  const options = ["--only", "step", "--models", "tiny", "--quick", "--threads", "1"];
  const { stdout, stderr } = await bench(...options, "--json", file);
  expect(stdout).toMatch(/^vit-tiny, 2 clips +[\d.]+†? +[\d.]+ % +[\d.]+ +[\d.]+ +\d+ %$/m);
  expect(stderr).toMatch(/^2\/2 \| training step of vit-tiny \| ETA \d+/m);
  const rows = readRows(file).filter(isTimed);
  expect(rows.map(({ bench: kind, threads }) => ({ kind, threads }))).toEqual([
    { kind: "gemm", threads: 1 },
    { kind: "step", threads: 1 },
  ]);

  // As another machine would have written it: the step cannot be compared, and nothing is said of its speed.
  const lines = readFileSync(file, "utf8").trim().split("\n");
  const elsewhere = lines.map((line) => {
    const row = JSON.parse(line);
    return JSON.stringify(row.bench === "step" ? { ...row, machine: { name: "B", cores: 1 } } : row);
  });
  writeFileSync(file, elsewhere.join("\n"));
  const again = await bench(...options, "--compare", file);
  expect(again.stdout).toMatch(/^dense products, square: .* (faster|slower|within noise|disturbed)$/m);
  expect(again.stdout).toMatch(/^not compared, machine B, 1 cores there, .* here: training step/m);
});

describe("a mistake is one line that says what to do", () => {
  it.each([
    [
      ["--only", "kernels,lodaer"],
      'bench --only: expected some of kernels, step, classifier, loader; got "lodaer". Hint: did you mean "loader"?',
    ],
    [["--compare", path.join(folder, "gone.jsonl")], "gone.jsonl: expected a file of rows; got ENOENT"],
    [["--json", path.join(folder, "no", "rows.jsonl")], "no such file or folder. Hint: check the path"],
    [["--device", "emu"], "bench --device: expected cpu or cuda; got emu. Hint: emu imitates a GPU"],
    [
      ["--pytorch", "no-such-python"],
      "bench --pytorch no-such-python: expected an interpreter with PyTorch; got no such program. Hint: no-such-python -m pip install torch",
    ],
    [["--pytorch", "auto", "--peers", folder], `in ${folder}; got none. Hint: they are no part of the package`],
  ])("%j", async (args, message) => {
    expect(await failing(...args)).toContain(message);
  });

  it("an earlier file that holds no rows", async () => {
    const file = path.join(folder, "wrong.jsonl");
    writeFileSync(file, '{"bench":"step"}\n');
    expect(await failing("--compare", file)).toContain(`${file}:1 `);
  });
});
