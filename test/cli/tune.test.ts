// `videomae tune` as a user runs it, on the emulator, whose times mean nothing: what is chosen is not looked at here.
import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { openCheckpoint } from "#lib/io/checkpoint.js";
import { latestCheckpoint } from "#lib/io/checkpoint-folder.js";
import { emptyKernelTable, readKernelTable } from "#lib/tensor/kernel-table.js";
import { makeClips } from "../../examples/make-clips.js";
import { hasEmulator } from "../devices.js";
import { temporaryFolder } from "../temporary-folder.js";

const main = path.resolve(import.meta.dirname, "../../dist/cli/main.js");
const folder = temporaryFolder();
const tune = (cache: string, ...args: string[]) =>
  promisify(execFile)(process.execPath, [main, "tune", ...args], { env: { ...process.env, VIDEOMAE_CACHE: cache } });

const tiny = ["--device", "emu", "--model", "tiny", "--batch-size", "1", "--image", "32", "--frames", "2"];
const options = [...tiny, "--decoder-mask-ratio", "0"];
const name = "kernels-emulated-gpu-of-capability-9-0.json";

describe.skipIf(!hasEmulator)("tune", () => {
  it("measures, prints, keeps what it found, and forgets it", async () => {
    const cache = mkdtempSync(path.join(folder, "cache-"));
    const file = path.join(cache, name);
    writeFileSync(file, "{");
    const { stdout, stderr } = await tune(cache, ...options);
    expect(stdout).toMatch(/^work +in +default +us +best other +us +ratio +agree +chosen$/m);
    expect(stdout).toMatch(/^gemm nt\S* \d+ 144 48 +linear +\S+ +\d+ +\S+ +\d+ +\d+\.\d\d +\d of \d +\S+$/m);
    expect(stdout).toMatch(/^earlier measurements are left out: they could not be read$/m);
    expect(stderr).toMatch(/^2\/3 \| backward of vit-tiny, batch 1, bf16 \| ETA/m);
    const { works, gpu, software } = readKernelTable(file);
    expect([gpu, software]).toEqual(["emulated GPU of capability 9.0", "the emulator"]);
    const count = Object.keys(works).length;
    expect(count).toBeGreaterThan(10);
    expect(stdout).toMatch(new RegExp(`^\\d+ of ${count} pieces of work have a faster kernel than the default: `, "m"));
    for (const { standard, chosen, variants } of Object.values(works)) {
      expect([standard, ...Object.keys(variants)]).toContain(chosen);
      for (const { failure, standardMs, variantMs } of Object.values(variants)) {
        expect([failure, standardMs > 0, variantMs > 0]).toEqual(["", true, true]);
      }
    }

    const before = readFileSync(file, "utf8");
    const dry = await tune(cache, ...tiny, "--classifier", "--classes", "5", "--dry-run");
    expect(dry.stdout).toMatch(/^gemm nn\S* \d+ 48 192 +linearBackward/m);
    expect(dry.stdout).not.toContain(name);
    expect(readFileSync(file, "utf8")).toBe(before);

    expect((await tune(cache, "--device", "emu", "--forget")).stdout).toBe(`removed ${file}\n`);
    expect(readdirSync(cache)).toEqual([]);
    expect((await tune(cache, "--device", "emu", "--forget")).stdout).toMatch(/^nothing is kept for emulated GPU/);
  }, 200_000);
});

it.skipIf(!hasEmulator)(
  "a run that goes on with other kernels says so",
  async () => {
    const clips = path.join(folder, "clips");
    await makeClips(clips, { count: 2, frames: 4, size: 32 });
    const cache = mkdtempSync(path.join(folder, "cache-"));
    const env = { ...process.env, VIDEOMAE_CACHE: cache };
    const pretrain = async (epochs: number) => {
      const run = ["--out", path.join(folder, "run"), "--epochs", `${epochs}`, "--warmup-epochs", "0", "--stride", "1"];
      const model = [
        "--model",
        "tiny",
        "--image",
        "32",
        "--frames",
        "2",
        "--mask-ratio",
        "0.5",
        "--decoder-mask",
        "none",
      ];
      const device = ["--device", "emu", "--dtype", "bf16", "--batch-size", "2", "--workers", "1"];
      const argv = [main, "pretrain", clips, ...run, ...model, ...device];
      return (await promisify(execFile)(process.execPath, argv, { env })).stderr;
    };
    await pretrain(1);
    expect(await pretrain(2)).not.toContain("kernels");
    using checkpoint = openCheckpoint(latestCheckpoint(path.join(folder, "run"))!.path);
    const { kernels } = checkpoint.state.numerics as { kernels: Record<string, string> };
    const gemm = Object.keys(kernels).find((work) => /^gemm nt\S* \d+ 144 48$/.test(work))!;
    expect(kernels[gemm]).toMatch(/^\w+ \(default\)$/);
    const work = { op: "linear", standard: "mma", chosen: "mma-large", variants: {} };
    const table = emptyKernelTable("emulated GPU of capability 9.0", "the emulator");
    const works = { [gemm]: work, "gemm nt 1 2 3": work }; // the second is none of this run's
    writeFileSync(path.join(cache, name), JSON.stringify({ ...table, works }));
    expect(await pretrain(3)).toContain(
      `resumed with other kernels (${gemm}: mma-large where the run had ${kernels[gemm]}): its numbers will differ`,
    );
    expect(await pretrain(4)).not.toContain("kernels");
  },
  100_000,
);

it.each([
  [["--device", "cpu"], "tune --device: expected a GPU; got cpu. Hint: kernels of the CPU are chosen by"],
  [["--device", "gpu"], "devices: expected a device out of cpu, cuda, cuda:1 and so on, emu"],
])("a mistake is one line: %j", async (args, message) => {
  const error = await tune(folder, ...args).then(
    () => undefined,
    (e: { code: number; stderr: string }) => e,
  );
  expect(error?.code).toBe(1);
  expect(error!.stderr.trim().split("\n")).toHaveLength(1);
  expect(error!.stderr).toContain(message);
});
