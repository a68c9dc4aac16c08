// What ffprobe says of a file. It decodes all of it: no cheaper count of frames can be trusted (edit lists, packed frames,
// damaged tables), and the size, format and colour of every frame are needed to read the program's output.

import { VideomaeError } from "../errors.js";
import type { Orientation } from "../ops/frame-to-rgb.js";
import { chooseStream } from "./choose-stream.js";
import { fileUrl, INPUT_OPTIONS, runProgram } from "./ffmpeg-program.js";
import { frameTimes } from "./frame-times.js";
import { orientationOf } from "./orientation.js";
import { plainFormat } from "./pixel-format.js";
import type { StoredPicture } from "./stored-video.js";
import type { TimeLimit } from "./time-limit.js";

/** Everything of a picture but its bytes, with the plain format they will be in. */
export type PictureKind = Omit<StoredPicture, "bytes"> & {
  /** Whether frames come in another format and have to be brought into the plain one. */
  readonly repacked: boolean;
};

export interface ProbedVideo {
  /** Index of the stream. */
  readonly stream: number;
  readonly width: number;
  readonly height: number;
  readonly orientation: Orientation;
  readonly pixelAspect: number;
  readonly times: Float64Array;
  /** Kinds of pictures, each from a frame on, ascending. */
  readonly kinds: readonly { readonly from: number; readonly kind: PictureKind }[];
}

interface ProbedStream {
  readonly index: number;
  readonly width?: number;
  readonly height?: number;
  readonly bit_rate?: string;
  readonly time_base?: string;
  readonly avg_frame_rate?: string;
  readonly sample_aspect_ratio?: string;
  readonly disposition?: Readonly<Record<string, number>>;
  readonly side_data_list?: readonly { readonly displaymatrix?: string }[];
}

/** @throws VideomaeError that names the file when it has no video, is damaged anywhere, or the limit is over */
export async function probe(path: string, limit: TimeLimit): Promise<ProbedVideo> {
  const stream = chooseStream(path, await videoStreams(path, limit));
  const { index, width = 0, height = 0, side_data_list, sample_aspect_ratio } = stream.probed;
  const { stamps, kinds } = await frames(path, index, limit);
  const matrix = side_data_list?.find((data) => data.displaymatrix !== undefined)?.displaymatrix;
  const aspect = ratio(sample_aspect_ratio);
  return {
    ...{ stream: index, width, height, kinds, orientation: orientationOf(numbers(matrix)) },
    pixelAspect: aspect > 0 && Number.isFinite(aspect) ? aspect : 1,
    times: frameTimes(stamps, ratio(stream.probed.time_base), ratio(stream.probed.avg_frame_rate)),
  };
}

async function videoStreams(path: string, limit: TimeLimit) {
  const chunks: Buffer[] = [];
  const args = ["-v", "error", ...INPUT_OPTIONS, "-show_streams", "-select_streams", "v", "-of", "json", fileUrl(path)];
  await runProgram(path, "ffprobe", args, (chunk) => chunks.push(chunk), limit);
  const streams: ProbedStream[] = JSON.parse(Buffer.concat(chunks).toString("utf8")).streams ?? [];
  return streams.map((probed) => {
    const { index, bit_rate, disposition = {} } = probed;
    const picture = ["attached_pic", "timed_thumbnails", "still_image"].some((kind) => disposition[kind] === 1);
    return { index, picture, default: disposition.default === 1, bitRate: Number(bit_rate) || 0, probed };
  });
}

async function frames(path: string, stream: number, limit: TimeLimit) {
  const stamps: (number | undefined)[] = [];
  const kinds: { from: number; kind: PictureKind }[] = [];
  let last = "";
  const entries = "frame=pts,width,height,pix_fmt,color_range,color_space";
  const onLine = (line: string) => {
    const fields = new Map(line.split("|").map((field) => field.split("=", 2) as [string, string]));
    if (!fields.has("pix_fmt")) return; // side data may stand on lines of its own
    const pts = Number(fields.get("pts"));
    stamps.push(Number.isNaN(pts) ? undefined : pts);
    const text = ["width", "height", "pix_fmt", "color_space", "color_range"].map((name) => fields.get(name)).join();
    if (text === last) return;
    last = text;
    kinds.push({ from: stamps.length - 1, kind: kindOf(path, fields) });
  };
  let rest = "";
  const onOutput = (chunk: Buffer) => {
    const lines = (rest + chunk.toString("latin1")).split("\n");
    rest = lines.pop()!;
    for (const line of lines) onLine(line);
  };
  const select = ["-select_streams", `${stream}`, "-show_frames", "-show_entries", entries, "-of", "compact=p=0"];
  await runProgram(path, "ffprobe", ["-v", "error", ...INPUT_OPTIONS, ...select, fileUrl(path)], onOutput, limit);
  return { stamps, kinds };
}

function kindOf(path: string, fields: ReadonlyMap<string, string>): PictureKind {
  const name = fields.get("pix_fmt")!;
  const format = plainFormat(name);
  if (format === undefined) {
    throw new VideomaeError({ op: path, expected: "a pixel format of integer samples", got: name });
  }
  return {
    ...{ format, repacked: format !== name },
    ...{ width: Number(fields.get("width")), height: Number(fields.get("height")) },
    colorSpace: fields.get("color_space") ?? "unknown",
    colorRange: fields.get("color_range") ?? "unknown",
  };
}

/** `a/b` or `a:b`; NaN for anything else. */
function ratio(text = ""): number {
  const [a, b] = text.split(/[/:]/).map(Number);
  return a / b;
}

/** The nine numbers of a display matrix, which ffprobe prints as three lines, each after its offset. */
function numbers(matrix: string | undefined): number[] | undefined {
  if (matrix === undefined) return undefined;
  return [...matrix.matchAll(/:\s*(-?\d+)\s+(-?\d+)\s+(-?\d+)/g)].flatMap((row) => row.slice(1).map(Number));
}
