// What a decoder does. A frame's number is its place in the order in which the whole video decodes from the start.

import { VideomaeError } from "../errors.js";
import type { TimeLimit } from "./time-limit.js";

export interface VideoDecoder {
  readonly name: string;
  /** Of FFmpeg and of its codec library. */
  readonly version: string;
  /**
   * @throws VideomaeError that names the file when it is missing, empty, cut short, no regular file, has no video, or the
   * limit is over
   */
  open(path: string, limit?: TimeLimit): Promise<VideoFile>;
}

/** An open video, or folder of pictures. Sizes are those of display: rotation is applied, non-square pixels are not. */
export interface VideoFile {
  readonly path: string;
  readonly frameCount: number;
  readonly width: number;
  readonly height: number;
  /** Width of a pixel divided by its height. */
  readonly pixelAspect: number;
  /** When each frame is shown, in seconds after the first; undefined for a folder of pictures. */
  readonly times: Float64Array | undefined;
  /**
   * Decodes frames, in any order and with repeats.
   * @param indices  each in [0, frameCount)
   * @param out  u8 (indices.length, height, width, 3), RGB, overwritten
   * @throws VideomaeError that names the file when a frame is damaged, never decodes, or the limit is over
   */
  read(indices: readonly number[], out: Uint8Array, limit?: TimeLimit): Promise<void>;
  close(): void;
}

/** Throws unless the frames exist and fit. */
export function checkRead(file: VideoFile, indices: readonly number[], out: Uint8Array): void {
  const bad = indices.find((i) => !Number.isInteger(i) || i < 0 || i >= file.frameCount);
  if (bad !== undefined) {
    throw new VideomaeError({ op: file.path, expected: `a frame number in [0, ${file.frameCount})`, got: `${bad}` });
  }
  const bytes = indices.length * file.width * file.height * 3;
  if (out.length < bytes) {
    throw new VideomaeError({ op: file.path, expected: `room for ${bytes} bytes`, got: `${out.length}` });
  }
}

/** Slots of the output by frame number: a frame wanted twice is decoded once. */
export function wantedSlots(indices: readonly number[]): Map<number, number[]> {
  const slots = new Map<number, number[]>();
  for (const [slot, index] of indices.entries()) {
    const list = slots.get(index);
    if (list) list.push(slot);
    else slots.set(index, [slot]);
  }
  return slots;
}
