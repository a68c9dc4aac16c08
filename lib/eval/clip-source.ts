// Where the frames of a clip come from: a video, a folder of pictures, or memory.

import type { VideoFile } from "../data/decoder.js";
import { openFrames } from "../data/decoder-frames.js";
import { type DecoderName, findDecoder } from "../data/find-decoder.js";
import type { Source } from "../data/source.js";
import { TimeLimit } from "../data/time-limit.js";
import type { WorkSignal } from "../data/work-signal.js";
import { VideomaeError } from "../errors.js";

/** Frames that are decoded already: u8 (T, H, W, 3), RGB. */
export interface DecodedClip {
  /** On shared memory, nothing is copied on the way to the thread that computes. */
  readonly data: Uint8Array;
  readonly shape: readonly [frames: number, height: number, width: number, channels: 3];
}

/** An open clip; close it. */
export interface OpenClip extends Pick<VideoFile, "frameCount" | "width" | "height"> {
  readonly kind: Source["kind"];
  /** Decodes frames, in any order and with repeats, to u8 (indices.length, height, width, 3). */
  read(indices: readonly number[], out: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

/** How clips are decoded. */
export interface DecodeOptions {
  readonly decoder: DecoderName;
  /** Seconds that opening a clip, or one reading of frames, may take; 0: any. */
  readonly decodeTimeout: number;
}

/**
 * Opens a video, a folder of pictures, or decoded frames; `signal` knows of all that is decoded.
 * @throws VideomaeError when it cannot be opened, or the frames are not what their shape says
 */
export async function openClip(
  clip: Source | DecodedClip,
  { decoder, decodeTimeout }: DecodeOptions,
  signal: WorkSignal,
): Promise<OpenClip> {
  if (!("kind" in clip)) return decodedClip(clip);
  const limit = () => new TimeLimit(decodeTimeout === 0 ? undefined : decodeTimeout, signal);
  const file = await signal.during(async () =>
    clip.kind === "frames" ? openFrames(clip) : (await findDecoder(decoder)).open(clip.path, limit()),
  );
  const { frameCount, width, height } = file;
  return {
    ...{ kind: clip.kind, frameCount, width, height },
    read: (indices, out) => signal.during(() => file.read(indices, out, limit())),
    close: () => signal.during(async () => file.close()),
  };
}

/** Reads frames in this order, without repeats: u8 (n, H, W, 3). */
export async function readFrames(clip: OpenClip, numbers: readonly number[]): Promise<Uint8Array> {
  const pixels = new Uint8Array(numbers.length * clip.width * clip.height * 3);
  await clip.read(numbers, pixels);
  return pixels;
}

function decodedClip({ data, shape }: DecodedClip): OpenClip {
  const [frameCount, height, width, channels] = shape;
  const size = height * width * 3;
  if (shape.length !== 4 || channels !== 3 || size === 0 || frameCount === 0 || data.length !== frameCount * size) {
    throw new VideomaeError({
      op: "decoded frames",
      expected: "a Uint8Array of T x H x W x 3 bytes, none of them 0, and that shape",
      got: `${data.length} bytes for [${shape.join(", ")}]`,
    });
  }
  return {
    ...{ kind: "video", frameCount, width, height },
    async read(indices, out) {
      for (const [slot, i] of indices.entries()) out.set(data.subarray(i * size, (i + 1) * size), slot * size);
    },
    async close() {},
  };
}
