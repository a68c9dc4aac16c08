// Video decoding by the programs ffmpeg and ffprobe: for machines that have them and not node-av. Slower: every clip is
// a process that decodes from the start of the file, and opening a file decodes all of it to count its frames, because
// no cheaper count can be trusted (edit lists, packed frames, damaged tables).

import { spawnSync } from "node:child_process";
import { VideomaeError } from "../errors.js";
import { checkRead, type VideoDecoder, type VideoFile, wantedSlots } from "./decoder.js";
import { fileIdentity } from "./file-identity.js";

interface Probed {
  readonly index: number;
  readonly codec_name?: string;
  readonly width?: number;
  readonly height?: number;
  readonly nb_read_frames?: string;
  readonly nb_frames?: string;
  readonly bit_rate?: string;
  readonly disposition?: { readonly attached_pic?: number };
  readonly side_data_list?: readonly { readonly rotation?: number }[];
}

const KEPT_SHAPES = 4096;
/** How much of what a program writes is kept in memory at most. */
const MAX_BUFFER = 2 ** 32;

interface Shape {
  readonly stream: number;
  readonly width: number;
  readonly height: number;
  readonly frameCount: number;
}

const shapes = new Map<string, Shape>();

/** Looks for ffmpeg and ffprobe on PATH. Throws when they are not there. */
export function ffmpegDecoder(): VideoDecoder {
  const [help] = ["ffmpeg", "ffprobe"].map((program) => {
    const { error, status, stdout } = spawnSync(program, ["-hide_banner", "-h", "long"], { maxBuffer: MAX_BUFFER });
    if (error || status !== 0) throw error ?? new Error(`${program} -h ended with ${status}`);
    return stdout.toString("utf8");
  });
  // Every decoded frame as it is, none doubled or dropped to even out their times: an option that changed its name.
  const everyFrame = [help.includes("-fps_mode") ? "-fps_mode" : "-vsync", "passthrough"];
  return { name: "ffmpeg", open: async (path) => new FfmpegFile(path, everyFrame) };
}

class FfmpegFile implements VideoFile {
  readonly path: string;
  readonly frameCount: number;
  readonly width: number;
  readonly height: number;
  readonly #stream: number;
  readonly #everyFrame: readonly string[];

  constructor(path: string, everyFrame: readonly string[]) {
    this.path = path;
    this.#everyFrame = everyFrame;
    const identity = fileIdentity(path);
    let shape = shapes.get(identity);
    if (shape === undefined) {
      shape = probe(path);
      if (shapes.size >= KEPT_SHAPES) shapes.delete(shapes.keys().next().value!);
      shapes.set(identity, shape);
    }
    this.frameCount = shape.frameCount;
    this.width = shape.width;
    this.height = shape.height;
    this.#stream = shape.stream;
  }

  async read(indices: readonly number[], out: Uint8Array): Promise<void> {
    checkRead(this, indices, out);
    const slots = wantedSlots(indices);
    const ranks = [...slots.keys()].sort((a, b) => a - b);
    const select = ranks.map((rank) => `eq(n\\,${rank})`).join("+");
    const bytes = this.width * this.height * 3;
    // One filter graph for the whole file, or a change of size would start the count of frames again.
    const filters = `select=${select},scale=${this.width}:${this.height}`;
    const stdout = runProgram(this.path, "ffmpeg", [
      ...[
        "-nostdin",
        "-v",
        "error",
        "-threads",
        "1",
        "-reinit_filter",
        "0",
        "-i",
        fileUrl(this.path),
        "-map",
        `0:${this.#stream}`,
      ],
      ...["-vf", filters, ...this.#everyFrame, "-frames:v", `${ranks.length}`],
      ...["-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:1"],
    ]);
    if (stdout.length !== ranks.length * bytes) {
      throw new VideomaeError({
        op: this.path,
        expected: `frames ${ranks[0]} to ${ranks[ranks.length - 1]} to decode`,
        got: `${Math.floor(stdout.length / bytes)} of ${ranks.length}`,
      });
    }
    for (const [i, rank] of ranks.entries()) {
      for (const slot of slots.get(rank)!) out.set(stdout.subarray(i * bytes, (i + 1) * bytes), slot * bytes);
    }
  }

  close(): void {}
}

function probe(path: string): Shape {
  const json = runProgram(path, "ffprobe", ["-v", "error", "-show_streams", "-select_streams", "v", ...asJson(path)]);
  const videos = (JSON.parse(json.toString("utf8")).streams as Probed[] | undefined) ?? [];
  const streams = videos.filter((stream) => stream.disposition?.attached_pic !== 1);
  if (streams.length === 0) {
    const got = videos.length > 0 ? "none but a cover picture" : "none";
    throw new VideomaeError({ op: path, expected: "a video stream", got });
  }
  // Of several, the one that FFmpeg's libraries call best: that of the highest bit rate, then the first.
  const best = streams.reduce((a, b) => (Number(b.bit_rate ?? 0) > Number(a.bit_rate ?? 0) ? b : a));
  const select = ["-v", "error", "-count_frames", "-show_streams", "-select_streams", `${best.index}`];
  const counted = runProgram(path, "ffprobe", [...select, ...asJson(path)]);
  const frameCount = Number(JSON.parse(counted.toString("utf8")).streams?.[0]?.nb_read_frames ?? 0);
  const { width = 0, height = 0 } = best;
  if (frameCount === 0 || width === 0 || height === 0) {
    throw new VideomaeError({ op: path, expected: "at least one frame", got: "a video stream without frames" });
  }
  const rotation = best.side_data_list?.find((data) => data.rotation !== undefined)?.rotation ?? 0;
  const turned = Math.abs(Math.round(rotation / 90)) % 2 === 1;
  return { stream: best.index, frameCount, width: turned ? height : width, height: turned ? width : height };
}

function asJson(path: string): string[] {
  return ["-of", "json", fileUrl(path)];
}

// Without the protocol a path with a colon in it would be taken for an address.
function fileUrl(path: string): string {
  return `file:${path}`;
}

// Damage is what either program says on standard error: both go on, and end with status 0.
function runProgram(path: string, program: string, args: string[]): Buffer {
  const { error, status, stdout, stderr } = spawnSync(program, args, { maxBuffer: MAX_BUFFER });
  const said = stderr?.toString("utf8").trim().split("\n").filter(isDamage) ?? [];
  if (!error && status === 0 && said.length === 0) return stdout;
  const got = error?.message ?? (said[0] || `${program} ended with status ${status}`);
  throw new VideomaeError({ op: path, expected: "a whole, healthy video", got, cause: error });
}

function isDamage(line: string): boolean {
  return line !== "" && !/non.?monoton|deprecated|Application provided/i.test(line);
}
