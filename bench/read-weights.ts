// How fast a safetensors file is read, against a plain C++ program that reads the same file into one fresh buffer on as
// many threads (one), with the file in the page cache, and how much memory the process takes for it.
//
//   npm run bench:read -- [--file x.safetensors] [--rounds 9]
//
// Without a file, one of ViT-L's shapes (1.27 GB) is made in the temporary folder and removed. Rounds alternate between
// the two, each in a process of its own. Prints one JSON row: medians of times, the median of the rounds' ratios, in time
// and in processor time (which other programs disturb less), and the peak of resident memory over the file's size.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { modelSize, openSafetensors, parameterShapes, writeSafetensors } from "videomae";

const { values } = parseArgs({
  options: { file: { type: "string" }, rounds: { type: "string", default: "9" }, read: { type: "string" } },
});

if (values.read !== undefined) readAll(values.read);
else compare(Number(values.rounds), values.file);

/** One round of ours: opens the file and reads every tensor. */
function readAll(file: string): void {
  const before = process.cpuUsage();
  const start = performance.now();
  using opened = openSafetensors(file);
  const tensors = opened.readAll();
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(before);
  const peak = process.resourceUsage().maxRSS * 1024;
  console.log(JSON.stringify({ seconds, processor: (user + system) / 1e6, peak, tensors: tensors.size }));
}

function compare(rounds: number, given: string | undefined): void {
  const folder = mkdtempSync(path.join(os.tmpdir(), "videomae-bench-"));
  try {
    const file = given ?? makeFile(path.join(folder, "vit-large.safetensors"));
    const { size } = statSync(file);
    const root = path.resolve(import.meta.dirname, "../..");
    const program = path.join(root, ".cmake/Release/Release/read_file_bench");
    const self = fileURLToPath(import.meta.url);
    const plain: number[] = [];
    const ours: number[] = [];
    const ratios: number[] = [];
    const processorRatios: number[] = [];
    let [peak, tensors] = [0, 0];
    for (let round = -1; round < rounds; round++) {
      const [theirs, processor] = execFileSync(program, [file], { encoding: "utf8" }).split(" ").map(Number);
      const row = JSON.parse(execFileSync(process.execPath, [self, "--read", file], { encoding: "utf8" }));
      if (round < 0) continue; // brings the file into the page cache
      plain.push(theirs);
      ours.push(row.seconds);
      ratios.push(theirs / row.seconds);
      processorRatios.push(processor / row.processor);
      peak = Math.max(peak, row.peak);
      tensors = row.tensors;
    }
    const row = {
      ...{ bytes: size, tensors, rounds, plain_seconds: median(plain), seconds: median(ours) },
      ...{ gigabytes_per_second: size / 1e9 / median(ours), speed_of_plain: median(ratios) },
      ...{ processor_speed_of_plain: median(processorRatios), peak_of_file: peak / size },
    };
    console.log(JSON.stringify(row));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function makeFile(file: string): string {
  const tensors = parameterShapes(modelSize("vit-large")).map(([name, shape]) => {
    const data = new Float32Array(shape.reduce((count, side) => count * side, 1)).fill(0.5);
    return { name, dtype: "F32" as const, shape, data };
  });
  writeSafetensors(file, tensors);
  return file;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
