// The batch of a skipped update, written to the run's folder so that it can be looked at:
//
//   incident-<step>.safetensors   video: the clips of one micro-batch, u8 (B, T, S, S, 3), or f32 (B, 3, T, S, S)
//   incident-<step>.json          what was not finite, and sources, keys and losses of every micro-batch of the update
//
// The JSON comes last, so where it is, the clips are. The clips are those of the first micro-batch whose loss was not
// finite, or of the last one when all were. Clips beyond 256 MiB are left out. Masks, and the clips of the other
// micro-batches, are functions of the keys and of the run's seed.
import path from "node:path";
import type { ClipBatch } from "../data/loader.js";
import { writeFileAtomic } from "../io/atomic-file.js";
import { writeSafetensors } from "../io/safetensors.js";
import { encodeRecord, type LogRecord } from "../log/jsonl.js";
import type { ClipKey } from "../masking/dual-mask.js";

/** Batches that a run writes at most. */
export const MOST_DUMPS = 5;
const MOST_BYTES = 2 ** 28;

/** What is remembered of a micro-batch until its update is over. */
export interface MicroBatch {
  /** Of the loader, counted over all epochs. */
  readonly batch: number;
  readonly loss: number;
  readonly sources: readonly string[];
  readonly keys: readonly ClipKey[];
}

/** Copies of clips, as a batch has them. */
export interface SuspectClips {
  /** Which micro-batch of the update, from 0. */
  readonly microBatch: number;
  readonly shape: readonly number[];
  readonly frames: Uint8Array | Float32Array;
}

/** Copies as many clips of a batch as may be written. */
export function copyClips(batch: ClipBatch, microBatch: number): SuspectClips {
  const [clips, ...clipShape] = batch.shape;
  const { length, byteLength } = batch.frames;
  const kept = Math.min(clips, Math.max(1, Math.floor((MOST_BYTES * clips) / byteLength)));
  return { microBatch, shape: [kept, ...clipShape], frames: batch.frames.slice(0, (kept * length) / clips) };
}

/**
 * Writes both files and returns the path of the JSON.
 * @param report  what happened in the update
 * @throws VideomaeError when the file system refuses
 */
export function writeIncident(
  folder: string,
  report: LogRecord & { readonly step: number },
  microBatches: readonly MicroBatch[],
  { microBatch, shape, frames }: SuspectClips,
): string {
  const name = `incident-${report.step}`;
  const clips = `${name}.safetensors`;
  writeSafetensors(path.join(folder, clips), [
    { name: "video", dtype: frames instanceof Float32Array ? "F32" : "U8", shape, data: frames },
  ]);
  const file = path.join(folder, `${name}.json`);
  const record = { ...report, clips: { file: clips, microBatch, count: shape[0] }, microBatches };
  const text = JSON.stringify(JSON.parse(encodeRecord(record)), undefined, 2);
  writeFileAtomic(file, (sink) => sink(new TextEncoder().encode(`${text}\n`)));
  return file;
}
