// One source, looked into: does it open, do its first and last clip decode (or all of it), what is it like.

import { readdirSync } from "node:fs";
import type { VideoFile } from "../data/decoder.js";
import { openFrames } from "../data/decoder-frames.js";
import { type DecoderName, findDecoder } from "../data/find-decoder.js";
import { pictureName } from "../data/lists.js";
import { type FramesSource, type Source, sourcePath } from "../data/source.js";
import { VideomaeError } from "../errors.js";
import { videoMetadata } from "./video-metadata.js";

/** How to look. */
export interface ProbeOptions {
  /** Frames of a clip, and video frames from one to the next. */
  readonly frames: number;
  readonly stride: number;
  /** Decode every frame, not only those of the first and the last clip. */
  readonly thorough: boolean;
  readonly decoder: DecoderName;
}

/** What a source is like, or why it cannot be used. */
export type Probed =
  | { readonly good: false; readonly reason: string }
  | {
      readonly good: true;
      readonly frames: number;
      readonly width: number;
      readonly height: number;
      readonly rate: number | undefined;
      readonly seconds: number | undefined;
      readonly warnings: readonly string[];
    };

/** How much is decoded at a time when all of it is. */
const CHUNK_BYTES = 64e6;

/** Looks into a source. What is wrong with it is in the result; anything else (no decoder) is thrown. */
export async function probe(source: Source, options: ProbeOptions): Promise<Probed> {
  const decoder = source.kind === "video" ? await findDecoder(options.decoder) : undefined;
  let file: VideoFile | undefined;
  try {
    const around = source.kind === "frames" ? picturesAround(source) : [];
    file = source.kind === "frames" ? await openFrames(source) : await decoder!.open(source.path);
    // To open a file, the ffmpeg programs decode all of it.
    await decode(file, { ...options, thorough: options.thorough && decoder?.name !== "ffmpeg" });
    const about =
      source.kind === "video"
        ? await videoMetadata(source.path, decoder!.name)
        : { rate: undefined, seconds: undefined, oddities: around };
    const { frameCount, width, height } = file;
    const short = frameCount < options.frames * options.stride ? ["shorter than a clip"] : [];
    const warnings = [...short, ...about.oddities];
    return { good: true, frames: frameCount, width, height, rate: about.rate, seconds: about.seconds, warnings };
  } catch (error) {
    if (!(error instanceof VideomaeError)) throw error;
    return { good: false, reason: error.message.replace(`${sourcePath(source)}: `, "") };
  } finally {
    file?.close();
  }
}

/** The frames of the first and of the last clip, or all. */
async function decode(file: VideoFile, { frames, stride, thorough }: ProbeOptions): Promise<void> {
  const { frameCount, width, height } = file;
  const clip = (from: number) => Array.from({ length: frames }, (_, i) => from + i * stride);
  const ends = [...clip(0), ...clip(Math.max(0, frameCount - 1 - (frames - 1) * stride))];
  const wanted = thorough
    ? Array.from({ length: frameCount }, (_, i) => i)
    : [...new Set(ends)].filter((i) => i < frameCount).sort((a, b) => a - b);
  const bytes = width * height * 3;
  const chunk = Math.max(1, Math.floor(CHUNK_BYTES / bytes));
  const pixels = new Uint8Array(Math.min(chunk, wanted.length) * bytes);
  for (let i = 0; i < wanted.length; i += chunk) await file.read(wanted.slice(i, i + chunk), pixels);
}

/** Throws when pictures are missing, wherever a clip may need them; tells of those that the list leaves out. */
function picturesAround({ folder, template, start, total, where }: FramesSource): string[] {
  const names = new Set(namesIn(folder));
  const missing = Array.from({ length: total }, (_, i) => start + i).filter(
    (n) => !names.has(pictureName(template, n)),
  );
  if (missing.length > 0) {
    const got = `${missing.length} missing, such as ${pictureName(template, missing[0])}`;
    throw new VideomaeError({ op: folder, expected: `${total} pictures, as ${where} says`, got });
  }
  const more = names.has(pictureName(template, start + total)) || names.has(pictureName(template, start - 1));
  return more ? ["more pictures than the list says"] : [];
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (cause) {
    const got = `${(cause as NodeJS.ErrnoException).code}`;
    throw new VideomaeError({ op: folder, expected: "a folder of pictures", got, cause });
  }
}
