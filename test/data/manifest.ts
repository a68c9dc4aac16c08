// The real and awkward clips: what their manifest says of them, and which are bad, and why.

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { VideoDecoder } from "#lib/data/decoder.js";
import { haveShared, sharedFolder } from "../fixtures.js";

export interface ManifestEntry {
  readonly stream: number;
  readonly width: number;
  readonly height: number;
  /** Counterclockwise, in degrees. */
  readonly rotation: number;
  /** `a:b`, or null where the file says nothing. */
  readonly sar: string | null;
  /** MD5 of decoded frames in the codec's own pixel format. */
  readonly frameMd5: { readonly count: number; readonly first: string; readonly middle: string; readonly last: string };
}

export const dataFolder = join(sharedFolder, "data");
const manifest: Record<string, ManifestEntry> = haveShared
  ? JSON.parse(readFileSync(join(dataFolder, "manifest.json"), "utf8"))
  : {};

export const haveFfmpeg = spawnSync("ffprobe", ["-version"]).status === 0;
if (!haveFfmpeg) console.log("skipped: ffmpeg and ffprobe are not on PATH");

/** What opening, or reading all frames, of these says. */
export const BAD: Record<string, RegExp> = {
  "candle/hello.mp4": /a video stream; got none$/,
  "decord/corrupted.mp4": /damaged|healthy/,
  "odd/audio_only.mp4": /a video stream; got none$/,
  "odd/bitflips.mp4": /damaged|healthy/,
  "odd/cover_art_only.m4a": /none but a cover picture/,
  "odd/not_a_video.mp4": /Invalid data|moov/,
  "odd/truncated_faststart.mp4": /cut short after 62|healthy/,
  "odd/truncated_no_moov.mp4": /Invalid data|moov/,
  "odd/zero_bytes.mp4": /an empty file/,
};

/** Of two video streams the one decoded is not the first, which the manifest describes: its size and count. */
export const OTHER_STREAM: Record<string, readonly [width: number, height: number, count: number]> = {
  "torchcodec/nasa_13013.mp4": [480, 270, 390],
  "odd/two_video_streams.mkv": [160, 90, 25],
};

/** Every clip but most of those drawn alike. */
export const clips = Object.keys(manifest).map((path) => path.replace(/^videos\//, ""));
export const healthy = clips.filter((clip) => !(clip in BAD));
export const entry = (clip: string) => manifest[`videos/${clip}`];
export const locate = (clip: string) => join(dataFolder, "videos", clip);

/** Opens a file and reads frames of it: those given, or all. */
export async function readFrames(decoder: VideoDecoder, path: string, indices?: readonly number[]) {
  const file = await decoder.open(path);
  try {
    const wanted = indices ?? Array.from({ length: file.frameCount }, (_, i) => i);
    const { frameCount: count, width, height, pixelAspect, times } = file;
    const bytes = width * height * 3;
    const pixels = new Uint8Array(wanted.length * bytes);
    await file.read(wanted, pixels);
    const frame = (i: number) => pixels.subarray(i * bytes, (i + 1) * bytes);
    return { count, width, height, pixelAspect, times: [...(times ?? [])], pixels, frame };
  } finally {
    file.close();
  }
}
