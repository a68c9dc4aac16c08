// SIGINT and SIGTERM, at every moment of a run.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { openCheckpoint } from "#lib/io/checkpoint.js";
import { latestCheckpoint, listCheckpoints } from "#lib/io/checkpoint-folder.js";
import { readJsonl } from "#lib/log/jsonl.js";
import { makeClips } from "../../examples/make-clips.js";
import { temporaryFolder } from "../temporary-folder.js";

const main = path.resolve(import.meta.dirname, "../../dist/cli/main.js");
const folder = temporaryFolder();
const clips = path.join(folder, "clips");
const small = ["--model", "vit-tiny", "--stride", "2", "--batch-size", "2", "--mask-ratio", "0.75", "--log-every", "1"];

beforeAll(async () => {
  await makeClips(clips, { count: 6, frames: 20 });
});

interface End {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stderr: string;
}

/** Runs the command, with `bin` before PATH, and calls `at[text]` once, when `text` has been said. */
function run(args: string[], at: Record<string, (child: ChildProcess) => void>, bin?: string): Promise<End> {
  const env = bin === undefined ? process.env : { ...process.env, PATH: `${bin}:${process.env.PATH}` };
  const child = spawn(process.execPath, [main, "pretrain", ...args], { stdio: ["ignore", "ignore", "pipe"], env });
  const waiting = new Map(Object.entries(at));
  let stderr = "";
  child.stderr.on("data", (data) => {
    stderr += data;
    for (const [text, act] of waiting) {
      if (!stderr.includes(text)) continue;
      waiting.delete(text);
      act(child);
    }
  });
  return new Promise((resolve) => child.on("exit", (status, signal) => resolve({ status, signal, stderr })));
}

describe.each([
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const)("%s", (name, status) => {
  const out = path.join(folder, name);

  it(`stops a run with a checkpoint and status ${status}, and the run goes on where it stopped`, async () => {
    const args = [clips, ...small, "--steps", "100000", "--out", out];
    const end = await run(args, { "step ": (child) => setTimeout(() => child.kill(name), 300) });
    expect(end).toMatchObject({ status, signal: null });
    expect(end.stderr).toMatch(/stopping after this update/);
    const { step, path: file } = latestCheckpoint(out)!;
    openCheckpoint(file).close();
    expect(end.stderr).toContain(`${step} of 100000 updates`);
    const next = await run(args, { "step ": (child) => child.kill(name) });
    expect(next.stderr).toContain(`resumed after update ${step}`);
    const steps = readJsonl(path.join(out, "log.jsonl")).flatMap((record) => record.step ?? []);
    expect(steps).toEqual(Array.from({ length: latestCheckpoint(out)!.step }, (_, i) => i + 1));
  });

  it("ends a run at once when it comes again", async () => {
    const again = path.join(folder, `${name}-again`);
    const end = await run([clips, ...small, "--steps", "100000", "--save-every", "5", "--out", again], {
      "step ": (child) => {
        child.kill(name);
        child.kill(name);
      },
    });
    // Sent so close together they may arrive as one.
    expect([end.signal, end.status]).toEqual(end.signal === null ? [null, status] : [name, null]);
    for (const { path: file } of listCheckpoints(again)) openCheckpoint(file).close();
  });
});

it("stops a run that waits for data", async () => {
  // A decoder that does not answer, as when the storage behind the clips hangs.
  const bin = path.join(folder, "bin");
  mkdirSync(bin);
  const program = '#!/bin/sh\ncase "$1" in -h|-version) echo "ffmpeg version 1 -fps_mode";; *) exec sleep 30;; esac\n';
  for (const name of ["ffmpeg", "ffprobe"]) writeFileSync(path.join(bin, name), program, { mode: 0o755 });
  const out = path.join(folder, "waiting");
  const args = [clips, ...small, "--steps", "10", "--decoder", "ffmpeg", "--workers", "1", "--out", out];
  const end = await run(args, { "10 updates": (child) => setTimeout(() => child.kill("SIGTERM"), 500) }, bin);
  expect(end.stderr).toMatch(/stopped before the first of 10 updates/);
  // A thread that is stuck in the decoder is not waited for: then the signal itself ends the process.
  expect([null, 143]).toContain(end.status);
  expect([null, "SIGTERM"]).toContain(end.signal);
  expect(listCheckpoints(out)).toEqual([]);
});
