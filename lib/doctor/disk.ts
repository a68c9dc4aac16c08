// How fast the data can be read: whole files one after another in large pieces, and many files each from its start, past
// the system's cache where the file system allows it (O_DIRECT). Bounded in time and bytes. Every clip is at most one
// file, so files a second are clips a second.

import { closeSync, constants, openSync, readSync, statSync } from "node:fs";
import { readSources } from "../data/lists.js";
import { type Source, sourcePath } from "../data/source.js";
import { RandomStream } from "../random.js";
import { type Finding, fine, reasonOf } from "./finding.js";

export interface DiskSpeed {
  readonly files: number;
  readonly meanFileBytes: number;
  /** Of the longest files, read in pieces of 1 MiB. */
  readonly bytesPerSecond: number;
  /** Files drawn at random, each read whole. */
  readonly filesPerSecond: number;
  /** Whether the system's cache was passed by. */
  readonly uncached: boolean;
}

/** Not among the types of Node. */
declare const WebAssembly: { Memory: new (size: { initial: number }) => { buffer: ArrayBuffer } };

/** What one core decodes, about, of 16 out of 64 frames at 340 x 256. */
const DECODED_PER_CORE = 20;
const SAMPLED = 2000;

/**
 * Reads some of the files that a list, a folder or a video names.
 * @param seconds  bounds each of the two measurements
 */
export function examineDisk(data: string, processors: number, seconds = 2): Finding {
  const check = "data disk";
  let speed: DiskSpeed | undefined;
  try {
    speed = measureDisk(readSources(data), seconds);
  } catch (error) {
    return {
      ...{ check, status: "problem", found: "not measured", cause: reasonOf(error) },
      fix: "name a folder of videos, a list file or a video with --data",
      details: { data },
    };
  }
  const { bytesPerSecond, filesPerSecond, meanFileBytes, uncached } = speed;
  const how = uncached ? "" : ", maybe from the system's cache";
  const found =
    `${(bytesPerSecond / 1e6).toFixed(0)} MB/s in large pieces, ${filesPerSecond.toFixed(0)} files/s ` +
    `of ${(meanFileBytes / 1e6).toFixed(2)} MB: enough for ${filesPerSecond.toFixed(0)} clips/s${how}`;
  const needed = DECODED_PER_CORE * processors;
  const details = { data, ...speed, neededClipsPerSecond: needed };
  if (filesPerSecond >= needed) return fine(check, found, details);
  return {
    ...{ check, status: "warning", found },
    cause: `${processors} processors decode up to about ${needed} clips/s, more than the disk gives`,
    fix: "copy the data to a faster or nearer disk, or take more clips of each file with --views",
    details,
  };
}

/** @throws Error when no file can be read */
export function measureDisk(sources: readonly Source[], seconds: number): DiskSpeed {
  const stream = new RandomStream(0, "doctor.disk");
  const paths = sources.filter((source) => source.kind === "video").map(sourcePath);
  const drawn = [...new Set(Array.from({ length: SAMPLED }, () => paths[stream.integer(Math.max(1, paths.length))]))];
  const files = drawn.flatMap((path) => {
    const size = path === undefined ? 0 : (statSync(path, { throwIfNoEntry: false })?.size ?? 0);
    return size > 0 ? [{ path, size }] : [];
  });
  if (files.length === 0) throw new Error("no video of it is there and has a byte");
  // 64 KiB pages of its own: O_DIRECT wants aligned memory.
  const buffer = new Uint8Array(new WebAssembly.Memory({ initial: 16 }).buffer);
  const half = Math.max(1, Math.floor(files.length / 2));
  const random = readFor(files.slice(0, half), buffer, seconds);
  const longest = files.slice(files.length > 1 ? half : 0).sort((a, b) => b.size - a.size);
  const sequential = readFor(longest, buffer, seconds);
  return {
    files: paths.length,
    meanFileBytes: files.reduce((sum, { size }) => sum + size, 0) / files.length,
    bytesPerSecond: sequential.bytes / sequential.seconds,
    filesPerSecond: random.files / random.seconds,
    uncached: random.uncached && sequential.uncached,
  };
}

/** Reads files whole, in turn, until the time is up; a part of a file counts as that part. */
function readFor(files: readonly { path: string; size: number }[], buffer: Uint8Array, seconds: number) {
  const start = performance.now();
  const elapsed = () => (performance.now() - start) / 1000;
  let [bytes, read, uncached] = [0, 0, true];
  for (const { path, size } of files) {
    if (elapsed() > seconds) break;
    const { file, direct } = open(path);
    uncached &&= direct;
    let at = 0;
    try {
      for (let n = 1; n > 0 && elapsed() <= seconds; at += n) n = readSync(file, buffer, 0, buffer.length, at);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EINVAL") throw error; // the unaligned rest of a file
      at = size;
    } finally {
      closeSync(file);
    }
    bytes += Math.min(at, size);
    read += Math.min(1, at / size);
  }
  return { bytes, files: read, uncached, seconds: Math.max(elapsed(), 1e-6) };
}

function open(path: string): { file: number; direct: boolean } {
  try {
    return { file: openSync(path, constants.O_RDONLY | constants.O_DIRECT), direct: true };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EINVAL") throw error;
    return { file: openSync(path, "r"), direct: false };
  }
}
