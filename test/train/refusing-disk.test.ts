// What a run does when the file system refuses: it says so, goes on while that is safe, and loses nothing.
import { execFile, spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { pretrain } from "#lib/train/pretrain.js";
import { makeClips } from "../../examples/make-clips.js";
import { temporaryFolder } from "../temporary-folder.js";

const folder = temporaryFolder();
const clips = path.join(folder, "clips");
const main = path.resolve(import.meta.dirname, "../../dist/cli/main.js");
const small = ["--model", "vit-tiny", "--stride", "2", "--batch-size", "2", "--mask-ratio", "0.75", "--workers", "0"];

beforeAll(async () => {
  await makeClips(clips, { count: 4, frames: 20 });
});

const shell = (name: string, command: string, args: string[]) =>
  new Promise<{ status: number | null; stdout: string; stderr: string }>((resolve) => {
    const child = execFile(name, ["-c", command, name, ...args], (_, stdout, stderr) =>
      resolve({ status: child.exitCode, stdout, stderr }),
    );
  });

const ownMounts = ["--user", "--map-root-user", "--mount"];
const mayMount = spawnSync("unshare", [...ownMounts, "mount", "-t", "tmpfs", "tmpfs", folder]).status === 0;
if (!mayMount) console.log("skipped: runs on a full and on a read-only disk, which need the right to mount one");

describe.skipIf(!mayMount)("a disk", () => {
  it("that is full for a while delays saves, and one that stays full ends the run with its last checkpoint whole", async () => {
    const disk = path.join(folder, "disk");
    mkdirSync(disk);
    const script = path.join(import.meta.dirname, "full-disk.mjs");
    const command = `mount -t tmpfs -o size=8m tmpfs "$2" && exec "${process.execPath}" "${script}" "$1" "$2"`;
    const run = spawnSync("unshare", [...ownMounts, "sh", "-c", command, "sh", clips, disk], { encoding: "utf8" });
    expect([run.status, run.stderr]).toEqual([0, ""]);
    const report = JSON.parse(run.stdout);
    const every = Array.from({ length: 12 }, (_, i) => i + 1);
    const whole = { checkpoints: [12], log: every, temporaries: [] };
    expect(report.whole).toMatchObject({ end: { done: 12 }, notes: [], ...whole });

    expect(report.forAWhile).toMatchObject({ end: { done: 12 }, same: true, ...whole });
    const notes = report.forAWhile.notes.join("\n");
    expect(notes).toMatch(/after update 4 \(attempt 1 of 3\).*no space left.*\n.*after update 6 \(attempt 2 of 3\)/s);

    expect(report.forGood.end.name).toBe("VideomaeError");
    expect(report.forGood.end.message).toMatch(
      /update 8: .*no space left.*checkpoint-2.safetensors is whole.*Hint: free/,
    );
    expect(report.forGood).toMatchObject({ checkpoints: [2], temporaries: [] });
    expect(report.resumed).toMatchObject({ end: { done: 12 }, same: true, ...whole });

    expect(report.readOnly.end.message).toMatch(/read-only.*writable disk/);
    expect(report.readOnlyResumed.end.message).toMatch(/for-good.*(EROFS|read-only)/);
  });
});

describe("a run", () => {
  it("ends with an error at a limit of file sizes, and leaves no part of a file", async () => {
    const out = path.join(folder, "limited");
    const command = `ulimit -f 200; shift; "${process.execPath}" "${main}" pretrain "$@"`;
    const args = ["-", clips, ...small, "--steps", "20", "--save-every", "2", "--out", out];
    const { status, stderr } = await shell("bash", command, args);
    expect(status).toBe(1);
    expect(stderr).toMatch(/after update 2 \(attempt 1 of 3\).*larger than files may be/);
    expect(stderr).toMatch(/videomae: save after update 6: .*no checkpoint was saved before.*ulimit -f/);
    const files = readdirSync(out).filter((name) => !name.startsWith("events.out.tfevents."));
    expect(files.sort()).toEqual(["log.jsonl", "recipe.yaml"]);
  });

  it("whose folder is removed says so and ends", async () => {
    const out = path.join(folder, "removed");
    const notes: string[] = [];
    const run = pretrain(
      {
        ...{ data: clips, out, model: "vit-tiny", stride: 2, batchSize: 2, maskRatio: 0.75, workers: 0 },
        ...{ steps: 20, saveEvery: 2 },
      },
      {
        onStep: ({ step }) => step === 3 && rmSync(out, { recursive: true }),
        onNote: (note) => notes.push(note),
      },
    );
    await expect(run).rejects.toThrow(/save after update 8.*no such file/);
    expect(notes.join("\n")).toMatch(/could not save after update 4/);
  });

  it("that may not make its folder says so before it begins", async () => {
    const run = pretrain({ data: clips, out: path.join(clips, "clip-000.mp4", "run"), model: "vit-tiny" });
    await expect(run).rejects.toThrow(/clip-000.mp4\/run: got a part of the path is not a folder/);
  });
});
