// Writes frames to an H.264 video in an mp4 file: through node-av where it is installed, through the ffmpeg program
// where it is not.

import { spawn } from "node:child_process";
import type { Frame } from "node-av";

export interface EncodeOptions {
  /** uint8 (frames, size, size, 3) */
  readonly frames: Uint8Array;
  /** Side of a frame in pixels, even. */
  readonly size: number;
  readonly fps: number;
}

type NodeAv = typeof import("node-av");

/** With one thread and without the macroblock tree, whose AVX-512 code differs from run to run, a clip is the same bytes
 * every time. */
const SAME_BYTES = "mbtree=0";

/** Encodes the frames into `path`, replacing it. Throws when neither encoder is there. */
export async function encodeClip(path: string, options: EncodeOptions): Promise<void> {
  const { frames, size } = options;
  if (size % 2 !== 0 || frames.length === 0 || frames.length % (size * size * 3) !== 0) {
    throw new RangeError(
      `encodeClip: expected frames uint8[T, ${size}, ${size}, 3] of an even side; got ${frames.length} bytes`,
    );
  }
  const av = await loadNodeAv();
  if (av) await encodeByLibrary(av, path, options);
  else await encodeByProgram(path, options);
}

async function loadNodeAv(): Promise<NodeAv | undefined> {
  try {
    return await import("node-av");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ERR_MODULE_NOT_FOUND") return undefined;
    throw error;
  }
}

async function encodeByLibrary(av: NodeAv, path: string, { frames, size, fps }: EncodeOptions): Promise<void> {
  av.Log.setLevel(av.AV_LOG_ERROR); // libx264 reports on every file it opens
  using encoder = await av.Encoder.create(av.FF_ENCODER_LIBX264, {
    options: { preset: "medium", crf: 14, "x264-params": SAME_BYTES },
    context: { gopSize: 12, threadCount: 1 },
  });
  await using output = await av.Muxer.open(path, { format: "mp4" });
  const stream = output.addStream(encoder);
  for await (using packet of encoder.packets(videoFrames(av, { frames, size, fps }))) {
    await output.writePacket(packet, stream);
  }
}

/** The frames one by one, and at the end the null that flushes the encoder. */
async function* videoFrames(av: NodeAv, { frames, size, fps }: EncodeOptions): AsyncGenerator<Frame | null> {
  const bytes = size * size * 3;
  const shape = { width: size, height: size, format: av.AV_PIX_FMT_YUV420P, timeBase: { num: 1, den: fps } };
  // A frame refers to the memory of its planes, which the encoder looks ahead at, so they live until it is done.
  const held: Buffer[] = [];
  for (let t = 0; t * bytes < frames.length; t++) {
    const planes = toYuv420(frames.subarray(t * bytes, (t + 1) * bytes), size);
    held.push(planes);
    using frame = av.Frame.fromVideoBuffer(planes, shape);
    frame.pts = BigInt(t);
    frame.duration = 1n;
    yield frame;
  }
  yield null;
  held.length = 0;
}

/**
 * The planes Y (size, size), U and V (size / 2, size / 2) of an RGB frame: ITU-R BT.601 in the studio range, a colour
 * sample the mean of four pixels. Decoders assume this standard for small frames.
 */
function toYuv420(rgb: Uint8Array, size: number): Buffer {
  const half = size / 2;
  const planes = Buffer.alloc(size * size + 2 * half * half);
  const red = new Float32Array(half * half);
  const blue = new Float32Array(half * half);
  for (let i = 0; i < size * size; i++) {
    const [r, g, b] = [rgb[i * 3] / 255, rgb[i * 3 + 1] / 255, rgb[i * 3 + 2] / 255];
    const luma = 0.299 * r + 0.587 * g + 0.114 * b;
    planes[i] = Math.round(16 + 219 * luma);
    const quarter = Math.floor(i / size / 2) * half + Math.floor((i % size) / 2);
    blue[quarter] += (b - luma) / 1.772 / 4;
    red[quarter] += (r - luma) / 1.402 / 4;
  }
  for (let i = 0; i < half * half; i++) {
    planes[size * size + i] = Math.round(128 + 224 * blue[i]);
    planes[size * size + half * half + i] = Math.round(128 + 224 * red[i]);
  }
  return planes;
}

function encodeByProgram(path: string, { frames, size, fps }: EncodeOptions): Promise<void> {
  const input = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", `${size}x${size}`, "-r", String(fps), "-i", "-"];
  const output = [
    "-c:v",
    "libx264",
    "-preset",
    "medium",
    "-crf",
    "14",
    "-g",
    "12",
    "-threads",
    "1",
    "-x264-params",
    SAME_BYTES,
    "-pix_fmt",
    "yuv420p",
  ];
  return new Promise((resolve, reject) => {
    const ffmpeg = spawn("ffmpeg", ["-v", "error", "-y", ...input, ...output, path], {
      stdio: ["pipe", "ignore", "pipe"],
    });
    let errors = "";
    ffmpeg.stderr.on("data", (text) => {
      errors += text;
    });
    ffmpeg.on("error", (cause) => {
      reject(new Error("encodeClip: neither node-av nor the ffmpeg program is here; npm install node-av", { cause }));
    });
    ffmpeg.on("close", (status) => {
      if (status === 0) resolve();
      else reject(new Error(`encodeClip: ffmpeg ended with ${status} on ${path}: ${errors.trim()}`));
    });
    // When ffmpeg dies early its exit status and its words tell more than the broken pipe.
    ffmpeg.stdin.on("error", () => {});
    ffmpeg.stdin.end(frames);
  });
}
