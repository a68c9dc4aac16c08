import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { duration, Progress } from "#lib/log/progress.js";

function make(options: { total?: number; start?: number; tty?: boolean; window?: number } = {}) {
  const stream = Object.assign(new PassThrough(), { isTTY: options.tty ?? false, columns: 120 });
  const clock = { ms: 0 };
  const { total = 100, start, window } = options;
  const progress = new Progress({ total, start, window, stream, lineSeconds: 10, now: () => clock.ms });
  const output = () => String(stream.read() ?? "");
  return { progress, clock, output };
}

test("a plain line every ten seconds, and the last state at the end", () => {
  const { progress, clock, output } = make();
  for (let step = 1; step <= 25; step++) {
    clock.ms += 1000;
    progress.update({ step, loss: 1 / step, lr: 6e-4, clips: 32, waitedMs: 100 });
  }
  progress.stop();
  progress.stop();
  expect(output().trimEnd().split("\n")).toEqual([
    "step 1/100 | loss 1.000 | lr 6.0e-4 | 32.0 clips/s | data wait 10 % | ETA 1 min 39 s",
    "step 11/100 | loss 0.09091 | lr 6.0e-4 | 32.0 clips/s | data wait 10 % | ETA 1 min 29 s",
    "step 21/100 | loss 0.04762 | lr 6.0e-4 | 32.0 clips/s | data wait 10 % | ETA 1 min 19 s",
    "step 25/100 | loss 0.04000 | lr 6.0e-4 | 32.0 clips/s | data wait 10 % | ETA 1 min 15 s",
  ]);
});

test("rates are those of the window", () => {
  const { progress, clock } = make({ window: 4, total: 20, start: 2 });
  clock.ms += 60_000;
  progress.update({ step: 3, clips: 8, waitedMs: 59_000 });
  for (let step = 4; step <= 8; step++) {
    clock.ms += 500;
    progress.update({ step, clips: 8, waitedMs: 0 });
  }
  expect(progress.rates()).toEqual({ clipsPerSecond: 16, waiting: 0, remainingSeconds: 6 });
});

test("nothing reads NaN: unknown is a dash, not finite says so", () => {
  const { progress } = make();
  expect(progress.line()).toBe("step 0/100 | loss - | lr - | - clips/s | data wait - % | ETA -");
  progress.update({ step: 1, loss: Number.NaN, lr: Number.POSITIVE_INFINITY, clips: 4 });
  expect(progress.line()).toBe("step 1/100 | loss not finite | lr not finite | - clips/s | data wait - % | ETA -");
  progress.update({ step: 2 });
  expect(progress.line()).toContain("loss not finite");
});

test("bad files are shown when there are any", () => {
  const { progress } = make();
  progress.update({ step: 1, badFiles: 0 });
  expect(progress.line()).not.toContain("bad files");
  progress.update({ step: 2, badFiles: 3 });
  progress.update({ step: 3 });
  expect(progress.line()).toMatch(/data wait - % \| bad files 3 \| ETA -$/);
});

test("a stalled run has no ETA and a finished one has none left", () => {
  const { progress, clock } = make();
  clock.ms += 1000;
  progress.update({ step: 0 });
  expect(progress.line()).toContain("ETA -");
  clock.ms += 1000;
  progress.update({ step: 101, waitedMs: 5000 });
  expect(progress.line()).toMatch(/data wait 100 % \| ETA 0 s$/);
});

test("a terminal gets a bar", () => {
  const { progress, clock, output } = make({ tty: true });
  clock.ms += 1000;
  progress.update({ step: 50, loss: 0.5, lr: 1e-3, clips: 4 });
  progress.stop();
  const text = output();
  expect(text).toContain("█");
  expect(text).toContain("step 50/100 | loss 0.5000");
  expect(text).not.toContain("NaN");
});

test.each([
  [0, "0 s"],
  [41.4, "41 s"],
  [125, "2 min 5 s"],
  [4440, "1 h 14 min"],
  [97200, "1 d 3 h"],
  [86400, "1 d"],
  [59.6, "1 min"],
])("%d seconds read %s", (seconds, text) => {
  expect(duration(seconds)).toBe(text);
});
