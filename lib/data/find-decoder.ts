// Which decoder to use: node-av when it is installed and loads, else ffmpeg on PATH, else an error that says how to get
// either. Found once in a thread.

import { VideomaeError } from "../errors.js";
import type { VideoDecoder } from "./decoder.js";
import { videoDecoder } from "./shown-video.js";

/** What decodes video: the library node-av, the ffmpeg program, or with `auto` the first of these that is there. */
export type DecoderName = "auto" | "node-av" | "ffmpeg";

const INSTALL = "npm install node-av@6.1.1, or install ffmpeg so that ffmpeg and ffprobe are on PATH";

const found = new Map<DecoderName, Promise<VideoDecoder>>();

/** @throws VideomaeError when the wanted decoder, or any for `"auto"`, is not there */
export function findDecoder(name: DecoderName = "auto"): Promise<VideoDecoder> {
  let decoder = found.get(name);
  if (decoder === undefined) {
    decoder = look(name);
    found.set(name, decoder);
  }
  return decoder;
}

const makers = {
  "node-av": async () => (await import("./decoder-node-av.js")).nodeAvDecoder(),
  ffmpeg: async () => (await import("./decoder-ffmpeg.js")).ffmpegDecoder(),
};

async function look(name: DecoderName): Promise<VideoDecoder> {
  const wanted = name === "auto" ? (["node-av", "ffmpeg"] as const) : ([name] as const);
  const reasons: string[] = [];
  for (const candidate of wanted) {
    const maker = makers[candidate];
    if (maker === undefined) {
      throw new VideomaeError({ op: "decoder", expected: `"auto", "node-av" or "ffmpeg"`, got: `"${candidate}"` });
    }
    try {
      return videoDecoder(await maker());
    } catch (cause) {
      reasons.push(`${candidate}: ${cause instanceof Error ? cause.message.split("\n")[0] : cause}`);
    }
  }
  throw new VideomaeError({
    op: "video decoder",
    expected: wanted.join(" or "),
    got: reasons.join("; "),
    hint: INSTALL,
  });
}
