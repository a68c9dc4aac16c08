// Video decoding by the programs ffmpeg and ffprobe: for machines that have them and not node-av. Slower: every clip is a
// process that decodes from the start of the file, and opening a file decodes all of it (see ffmpeg-probe.ts). The
// program writes the pictures as the codec gave them, one after another; what they are is known from the probe.

import { spawnSync } from "node:child_process";
import { VideomaeError } from "../errors.js";
import type { Orientation } from "../ops/frame-to-rgb.js";
import { type PictureKind, type ProbedVideo, probe } from "./ffmpeg-probe.js";
import { fileUrl, INPUT_OPTIONS, runProgram } from "./ffmpeg-program.js";
import { fileIdentity } from "./file-identity.js";
import { pictureBytes, pixelFormat } from "./pixel-format.js";
import type { StoredDecoder, StoredPicture, StoredVideo } from "./stored-video.js";
import type { TimeLimit } from "./time-limit.js";

/** Of FFmpeg 5.0, whose ffprobe is the first to give the times of frames by their present name. */
const OLDEST_CODEC = 59;
const KEPT_PROBES = 4096;
const MAX_HELP = 2 ** 26;

/** What is known of files seen before, by identity. */
const known = new Map<string, ProbedVideo>();

/** Looks for ffmpeg and ffprobe on PATH. Throws when they are not there, or too old. */
export function ffmpegDecoder(): StoredDecoder {
  const [help] = ["ffmpeg", "ffprobe"].map((program) => {
    const { error, status, stdout } = spawnSync(program, ["-h", "long"], { maxBuffer: MAX_HELP });
    if (error || status !== 0) throw error ?? new Error(`${program} -h ended with ${status}`);
    return stdout.toString("utf8");
  });
  const banner = spawnSync("ffmpeg", ["-version"]).stdout.toString("utf8");
  const [, version = "unknown"] = /^ffmpeg version (\S+)/.exec(banner) ?? [];
  const [, codec = "unknown"] = /^libavcodec\s.*\/\s*(.+?)\s*$/m.exec(banner) ?? [];
  if (Number.parseInt(codec, 10) < OLDEST_CODEC) throw new Error(`expected FFmpeg 5.0 or newer, got ${version}`);
  // Every decoded frame as it is, none doubled or dropped to even out their times: an option that changed its name.
  const everyFrame = [help.includes("-fps_mode") ? "-fps_mode" : "-vsync", "passthrough"];
  return {
    name: "ffmpeg",
    version: `FFmpeg ${version}, libavcodec ${codec.replace(/\s/g, "")}`,
    open: (path, limit) => openFile(path, everyFrame, limit),
  };
}

async function openFile(path: string, everyFrame: readonly string[], limit: TimeLimit): Promise<FfmpegFile> {
  const identity = fileIdentity(path);
  let probed = known.get(identity);
  if (probed === undefined) {
    probed = await probe(path, limit);
    if (known.size >= KEPT_PROBES) known.delete(known.keys().next().value!);
    known.set(identity, probed);
  }
  return new FfmpegFile(path, probed, everyFrame);
}

class FfmpegFile implements StoredVideo {
  readonly path: string;
  readonly frameCount: number;
  readonly width: number;
  readonly height: number;
  readonly orientation: Orientation;
  readonly pixelAspect: number;
  readonly times: Float64Array;
  readonly #probed: ProbedVideo;
  readonly #everyFrame: readonly string[];

  constructor(path: string, probed: ProbedVideo, everyFrame: readonly string[]) {
    this.path = path;
    this.frameCount = probed.times.length;
    this.width = probed.width;
    this.height = probed.height;
    this.orientation = probed.orientation;
    this.pixelAspect = probed.pixelAspect;
    this.times = probed.times;
    this.#probed = probed;
    this.#everyFrame = everyFrame;
  }

  async decode(
    frames: readonly number[],
    deliver: (frame: number, picture: StoredPicture) => void,
    limit: TimeLimit,
  ): Promise<void> {
    const kinds = frames.map((frame) => this.#kind(frame));
    let done = 0;
    let at = 0;
    let bytes = new Uint8Array(bytesOf(kinds[0]));
    const onOutput = (chunk: Buffer) => {
      for (let from = 0; from < chunk.length; ) {
        if (done === frames.length) throw this.#error(`${done} frames`, "more than that");
        const part = chunk.subarray(from, from + bytes.length - at);
        bytes.set(part, at);
        from += part.length;
        at += part.length;
        if (at < bytes.length) return;
        deliver(frames[done], { ...kinds[done], bytes });
        at = 0;
        done++;
        if (done < frames.length && bytesOf(kinds[done]) !== bytes.length) bytes = new Uint8Array(bytesOf(kinds[done]));
      }
    };
    await runProgram(this.path, "ffmpeg", this.#arguments(frames, kinds), onOutput, limit);
    if (done === frames.length) return;
    throw this.#error(`frames ${frames[0]} to ${frames[frames.length - 1]} to decode`, `${done} of ${frames.length}`);
  }

  close(): void {}

  #arguments(frames: readonly number[], kinds: readonly PictureKind[]): string[] {
    const { format } = kinds.find((kind) => kind.repacked) ?? {};
    if (format !== undefined) this.#checkAlike(format, kinds);
    const filters = [`select='${selection(frames)}'`, ...(format === undefined ? [] : [`format=${format}`])].join();
    return [
      ...["-nostdin", "-v", "error", ...INPUT_OPTIONS, "-noautorotate"],
      // One filter graph for the whole file, or a change of size would start the count of frames again.
      ...["-reinit_filter", "0", "-i", fileUrl(this.path), "-map", `0:${this.#probed.stream}`],
      ...["-vf", filters, ...this.#everyFrame, "-autoscale", "0", "-frames:v", `${frames.length}`],
      ...["-f", "rawvideo", "pipe:1"],
    ];
  }

  // What brings frames into another pixel format would bring them to the size of the file's first, too.
  #checkAlike(format: string, kinds: readonly PictureKind[]): void {
    const { width, height } = this.#probed.kinds[0].kind;
    const other = kinds.find((kind) => kind.format !== format || kind.width !== width || kind.height !== height);
    if (other === undefined) return;
    const got = `${other.format}, ${other.width} x ${other.height}`;
    throw this.#error(`pictures that are all ${format}, ${width} x ${height}`, got);
  }

  #error(expected: string, got: string): VideomaeError {
    return new VideomaeError({ op: this.path, expected, got });
  }

  #kind(frame: number): PictureKind {
    return this.#probed.kinds.findLast(({ from }) => from <= frame)!.kind;
  }
}

// An expression that is true at the frames: a term for each run of equal steps, summed in pairs of pairs, as the depth
// of an expression is limited.
function selection(frames: readonly number[]): string {
  const terms: string[] = [];
  for (let i = 0; i < frames.length; ) {
    const step = i + 1 < frames.length ? frames[i + 1] - frames[i] : 1;
    let last = i;
    while (last + 1 < frames.length && frames[last + 1] - frames[last] === step) last++;
    terms.push(`between(n,${frames[i]},${frames[last]})*not(mod(n-${frames[i]},${step}))`);
    i = last + 1;
  }
  const sum = (from: number, until: number): string => {
    if (until - from === 1) return terms[from];
    const middle = Math.floor((from + until) / 2);
    return `(${sum(from, middle)}+${sum(middle, until)})`;
  };
  return sum(0, terms.length);
}

function bytesOf({ format, width, height }: PictureKind): number {
  return pictureBytes(pixelFormat(format)!, width, height).stored;
}
