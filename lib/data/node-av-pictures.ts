// Frames of node-av as stored pictures: brought into a plain pixel format where they are in another one, their planes
// copied together, their colour tags named as FFmpeg's programs name them.

import { VideomaeError } from "../errors.js";
import type { NodeAv } from "./node-av-packets.js";
import { plainFormat } from "./pixel-format.js";
import type { StoredPicture } from "./stored-video.js";

type Frame = InstanceType<NodeAv["lib"]["Frame"]>;
type Scaler = InstanceType<NodeAv["lib"]["SoftwareScaleContext"]>;

/** By the numbers of ITU-T H.273. */
const COLOR_SPACES: Record<number, string> = {
  ...{ 1: "bt709", 4: "fcc", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "ycgco", 9: "bt2020nc", 10: "bt2020c" },
  ...{ 11: "smpte2085", 12: "chroma-derived-nc", 13: "chroma-derived-c", 14: "ictcp", 15: "ipt-c2" },
  ...{ 16: "ycgco-re", 17: "ycgco-ro" },
};
const COLOR_RANGES: Record<number, string> = { 1: "tv", 2: "pc" };

export class NodeAvPictures {
  readonly #path: string;
  readonly #av: NodeAv;
  readonly #plain: Frame;
  #scaler: Scaler | undefined;

  constructor(path: string, av: NodeAv) {
    this.#path = path;
    this.#av = av;
    this.#plain = new av.lib.Frame();
    this.#plain.alloc();
  }

  /** @throws VideomaeError for a format that has no plain one */
  stored(frame: Frame): StoredPicture {
    const { width, height, colorSpace, colorRange } = frame;
    const name = this.#av.lib.avGetPixFmtName(frame.format as never) ?? `${frame.format}`;
    const format = plainFormat(name);
    if (format === undefined) throw this.#error("a pixel format of integer samples", name);
    const bytes = (format === name ? frame : this.#brought(frame, format)).toBuffer();
    return {
      ...{ format, width, height, bytes },
      ...{ colorSpace: COLOR_SPACES[colorSpace] ?? "unknown", colorRange: COLOR_RANGES[colorRange] ?? "unknown" },
    };
  }

  close(): void {
    this.#plain.free();
    this.#scaler?.freeContext();
  }

  #brought(frame: Frame, format: string): Frame {
    const plain = this.#plain;
    plain.unref();
    plain.width = frame.width;
    plain.height = frame.height;
    plain.format = this.#av.lib.avGetPixFmtFromName(format);
    // Samples are moved, not mapped: the scaler is told that nothing but their place changes.
    plain.colorSpace = frame.colorSpace;
    plain.colorRange = frame.colorRange;
    plain.colorPrimaries = frame.colorPrimaries;
    plain.colorTrc = frame.colorTrc;
    frame.clearFlags(this.#av.constants.AV_FRAME_FLAG_INTERLACED);
    if (this.#scaler === undefined) {
      this.#scaler = new this.#av.lib.SoftwareScaleContext();
      this.#scaler.allocContext();
    }
    const allocated = plain.getBuffer();
    const code = allocated < 0 ? allocated : this.#scaler.scaleFrameSync(plain, frame);
    if (code < 0) throw this.#error("a picture that can be unpacked", this.#av.lib.FFmpegError.strerror(code));
    return plain;
  }

  #error(expected: string, got: string): VideomaeError {
    return new VideomaeError({ op: this.#path, expected, got });
  }
}
