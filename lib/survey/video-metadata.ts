// What a video file says of itself besides its frames: rate, duration, and what makes it unusual. By node-av from the
// packets and the first picture, or by ffprobe; either way without decoding the file.

import { childProcess } from "../library.js";

/** What is unusual about a video, and known to the decoders: frames come out as docs/data.md says. */
export type Oddity = "variable rate" | "rotated" | "interlaced" | "non-square pixels" | "several video streams";

export interface VideoMetadata {
  /** Frames a second on average; undefined when the file does not say. */
  readonly rate: number | undefined;
  readonly seconds: number | undefined;
  readonly oddities: readonly Oddity[];
}

/** Times of packets further apart than this, relative to the median, are of a variable rate. */
const UNEVEN = 0.25;
const PROBE_BUFFER = 2 ** 28;

/** @param decoder  the name of the decoder in use */
export async function videoMetadata(path: string, decoder: string): Promise<VideoMetadata> {
  return decoder === "node-av" ? byNodeAv(path) : byFfprobe(path);
}

async function byNodeAv(path: string): Promise<VideoMetadata> {
  const [lib, constants] = await Promise.all([import("node-av/lib"), import("node-av/constants")]);
  const format = new lib.FormatContext();
  if (format.openInputSync(path) < 0 || format.findStreamInfoSync() < 0) return nothingKnown;
  const packet = new lib.Packet();
  packet.alloc();
  try {
    const videos = format.streams.filter(
      (s) =>
        s.codecpar.codecType === constants.AVMEDIA_TYPE_VIDEO &&
        !s.hasDisposition(constants.AV_DISPOSITION_ATTACHED_PIC),
    );
    const best = format.findBestStream(constants.AVMEDIA_TYPE_VIDEO);
    const stream = format.streams[best];
    const second = stream.timeBase.num / stream.timeBase.den;
    const times: number[] = [];
    let interlaced: boolean | undefined;
    const decoder = openDecoder(lib, stream.codecpar);
    const frame = new lib.Frame();
    frame.alloc();
    while (format.readFrameSync(packet) >= 0) {
      if (packet.streamIndex === best) {
        if (packet.pts !== -(2n ** 63n)) times.push(Number(packet.pts) * second);
        if (interlaced === undefined && decoder && decoder.sendPacketSync(packet) >= 0) {
          if (decoder.receiveFrameSync(frame) >= 0) interlaced = frame.hasFlags(constants.AV_FRAME_FLAG_INTERLACED);
        }
      }
      packet.unref();
    }
    frame.free();
    decoder?.freeContext();
    const matrix = stream.codecpar.getCodedSideData(constants.AV_PKT_DATA_DISPLAYMATRIX);
    const { num, den } = [stream.sampleAspectRatio, stream.codecpar.sampleAspectRatio].find((r) => r.num > 0) ?? square;
    return described(times, {
      rotated: matrix !== null && isTurned(matrix),
      interlaced: interlaced ?? false,
      square: num === den,
      streams: videos.length,
    });
  } finally {
    packet.free();
    format.closeInputSync();
  }
}

const square = { num: 1, den: 1 };

type NodeAvLib = typeof import("node-av/lib");

function openDecoder(lib: NodeAvLib, parameters: InstanceType<NodeAvLib["CodecParameters"]>) {
  const codec = lib.Codec.findDecoder(parameters.codecId);
  if (codec === null) return undefined;
  const context = new lib.CodecContext();
  context.allocContext3(codec);
  context.threadCount = 1;
  if (context.parametersToContext(parameters) >= 0 && context.open2Sync(codec, null) >= 0) return context;
  context.freeContext();
  return undefined;
}

/** Whether a display matrix (nine 16.16 numbers) does anything but leave a picture as it is. */
function isTurned(matrix: Uint8Array): boolean {
  const view = new DataView(matrix.buffer, matrix.byteOffset, matrix.byteLength);
  if (matrix.byteLength < 36) return false;
  return !(view.getInt32(0, true) > 0 && view.getInt32(16, true) > 0 && view.getInt32(4, true) === 0);
}

interface ProbedStream {
  readonly index: number;
  readonly field_order?: string;
  readonly sample_aspect_ratio?: string;
  readonly disposition?: { readonly attached_pic?: number };
  readonly side_data_list?: readonly { readonly rotation?: number }[];
}

function byFfprobe(path: string): VideoMetadata {
  const probe = (args: string[]) =>
    childProcess().spawnSync("ffprobe", ["-v", "quiet", ...args, "-of", "json", `file:${path}`], {
      encoding: "utf8",
      maxBuffer: PROBE_BUFFER,
    }).stdout;
  const streams = (parsed(probe(["-show_streams", "-select_streams", "v"])).streams ?? []) as ProbedStream[];
  const videos = streams.filter(({ disposition }) => disposition?.attached_pic !== 1);
  const [first] = videos;
  if (first === undefined) return nothingKnown;
  const select = ["-select_streams", `${first.index}`];
  const packets = parsed(probe(["-show_entries", "packet=pts_time", ...select])).packets as { pts_time?: string }[];
  const times = (packets ?? []).map(({ pts_time: time }) => Number(time)).filter(Number.isFinite);
  return described(times, {
    rotated: (first.side_data_list ?? []).some(({ rotation }) => (rotation ?? 0) !== 0),
    interlaced: ["tt", "bb", "tb", "bt"].includes(first.field_order ?? ""),
    square: ["1:1", "0:1", undefined].includes(first.sample_aspect_ratio),
    streams: videos.length,
  });
}

function parsed(json: string): Record<string, unknown> {
  try {
    return JSON.parse(json);
  } catch {
    return {};
  }
}

const nothingKnown: VideoMetadata = { rate: undefined, seconds: undefined, oddities: [] };

function described(
  times: number[],
  facts: { rotated: boolean; interlaced: boolean; square: boolean; streams: number },
): VideoMetadata {
  const sorted = Float64Array.from(times).sort();
  const gaps = sorted.subarray(1).map((time, i) => time - sorted[i]);
  const median = gaps.length > 0 ? Float64Array.from(gaps).sort()[gaps.length >> 1] : 0;
  // The last gap may be cut short, and a rate that times cannot write exactly alternates by one unit of time.
  const uneven = gaps.length > 2 && gaps.some((gap) => Math.abs(gap - median) > UNEVEN * median + 0.002);
  const span = sorted.length > 1 ? sorted[sorted.length - 1] - sorted[0] : 0;
  const rate = span > 0 ? (sorted.length - 1) / span : undefined;
  const oddities: [boolean, Oddity][] = [
    [uneven, "variable rate"],
    [facts.rotated, "rotated"],
    [facts.interlaced, "interlaced"],
    [!facts.square, "non-square pixels"],
    [facts.streams > 1, "several video streams"],
  ];
  return {
    rate,
    seconds: rate === undefined ? undefined : span + 1 / rate,
    oddities: oddities.flatMap(([is, name]) => (is ? [name] : [])),
  };
}
