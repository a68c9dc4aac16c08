// The folder of a run that a test writes as a run would: log, event files, recipe.
import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import sharp from "sharp";
import type { EventFile } from "#lib/log/event-file.js";
import { encodeRecord, type LogRecord } from "#lib/log/jsonl.js";

/** Of all runs. */
export const STEPS = 100;

export function update(step: number, more: LogRecord = {}): LogRecord {
  return {
    ...{ step, steps: STEPS, epoch: 1, loss: 2 - step / STEPS, gradientNorm: 0.5, learningRate: 1e-3 },
    ...{ clips: 8, waitedMs: 50, skipped: false, ...more },
  };
}

/** Makes the folder with what a run writes before its first update. */
export function begin(folder: string, options = "data: clips\nmodel: vit-small\n"): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, "recipe.yaml"), options);
  write(folder, { event: "machine", host: "box", processor: "a processor" });
}

/** Adds lines to the log. */
export function write(folder: string, ...records: readonly LogRecord[]): void {
  appendFileSync(path.join(folder, "log.jsonl"), records.map((record) => `${encodeRecord(record)}\n`).join(""));
}

export function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}

/** Adds updates to log and event file, a tenth of a second each. */
export function train(folder: string, events: EventFile, from: number, to: number): void {
  for (const step of range(from, to)) {
    events.scalars(step, { "train/loss": 1, "train/clips": 8, "train/waitedMs": 50 }, 1_000_000 + 100 * step);
    write(folder, update(step));
  }
}

/** A PNG of one colour. */
export async function picture(background: string): Promise<{ bytes: Buffer; width: number; height: number }> {
  const bytes = await sharp({ create: { width: 90, height: 30, channels: 3, background } })
    .png()
    .toBuffer();
  return { bytes, width: 90, height: 30 };
}
