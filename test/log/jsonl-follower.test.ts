// A log read while another process writes it: nothing twice, nothing lost, and nothing that was undone.
import { appendFileSync, renameSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { encodeRecord, openJsonl } from "#lib/log/jsonl.js";
import { JsonlFollower } from "#lib/log/jsonl-follower.js";
import { temporaryFolder } from "../temporary-folder.js";

const folder = temporaryFolder();

/** A follower, and the steps that it holds for those of the log. */
function following(name: string) {
  const path = join(folder, name);
  const seen = { steps: [] as unknown[], broken: [] as number[], restarts: 0 };
  const follower = new JsonlFollower(path, {
    onRestart: () => {
      seen.restarts++;
      [seen.steps, seen.broken] = [[], []];
    },
    onRecord: ({ step }) => seen.steps.push(step),
    onBroken: (line) => seen.broken.push(line),
  });
  return { path, seen, poll: () => follower.poll() };
}

/** Lines as a run writes them. */
function lines(from: number, to: number, more: object = {}): string {
  const steps = Array.from({ length: to - from + 1 }, (_, i) => from + i);
  return steps.map((step) => `${encodeRecord({ step, loss: 1 / step, ...more })}\n`).join("");
}

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

test("lines come once, whole, from before the file is there to its end", async () => {
  const { path, seen, poll } = following("grows.jsonl");
  expect(await poll()).toBe(false);
  const text = Buffer.from(lines(1, 3, { name: "é" }));
  for (let at = 0; at < text.length; at += 7) {
    appendFileSync(path, text.subarray(at, at + 7)); // in the middle of lines, and of letters
    expect(await poll()).toBe(true);
    const whole = text.subarray(0, at + 7).filter((byte) => byte === 0x0a).length;
    expect(seen.steps).toEqual(range(1, whole));
  }
  await poll();
  expect(seen).toEqual({ steps: [1, 2, 3], broken: [], restarts: 0 });
});

test("a log that is cut when a run goes on loses what was undone, also when it has grown beyond its old length", async () => {
  const { path, seen, poll } = following("cut.jsonl");
  writeFileSync(path, `${lines(1, 20)}{"step": 21, "lo`);
  await poll();
  expect(seen.steps).toEqual(range(1, 20));
  {
    using log = openJsonl(path, { bytes: lines(1, 10).length });
    await poll();
    expect(seen.steps).toEqual(range(1, 10));
    log.write({ event: "resumed", update: 10 });
    for (const step of range(11, 40)) log.write({ step, loss: 1 / step });
  }
  await poll();
  expect(seen.steps.filter((step) => step !== undefined)).toEqual(range(1, 40));
  // Between two looks: cut, and written on past the place where the last look ended.
  truncateSync(path, lines(1, 10).length);
  appendFileSync(path, `${encodeRecord({ event: "resumed", update: 10 })}\n${lines(11, 60, { again: true })}`);
  await poll();
  expect(seen.steps.filter((step) => step !== undefined)).toEqual(range(1, 60));
  expect(seen.restarts).toBe(2);
});

test("another file of the name, or none, is another log", async () => {
  const { path, seen, poll } = following("replaced.jsonl");
  writeFileSync(path, lines(1, 5));
  await poll();
  writeFileSync(`${path}.new`, lines(1, 5) + lines(6, 7));
  renameSync(`${path}.new`, path);
  await poll();
  expect(seen).toEqual({ steps: range(1, 7), broken: [], restarts: 1 });
  renameSync(path, `${path}.aside`);
  expect(await poll()).toBe(false);
  expect(seen.steps).toEqual([]);
  renameSync(`${path}.aside`, path);
  await poll();
  expect(seen.steps).toEqual(range(1, 7));
});

test("lines that are no objects are named, and a line may be longer than what is read at once", async () => {
  const { path, seen, poll } = following("odd.jsonl");
  const long = "x".repeat(3 << 20);
  writeFileSync(path, `${lines(1, 2)}what is this\n[3]\n${encodeRecord({ step: 5, long })}\n${lines(6, 6)}`);
  await poll();
  expect(seen).toEqual({ steps: [1, 2, 5, 6], broken: [3, 4], restarts: 0 });
});
