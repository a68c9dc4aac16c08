// The packets of a file's video stream by node-av: one after another, from the start or from a key packet.

import { constants } from "node:os";
import { VideomaeError } from "../errors.js";
import { chooseStream } from "./choose-stream.js";
import { type FrameIndex, type KeyPacket, type PacketRecord, packetMark } from "./frame-index.js";
import type { TimeLimit } from "./time-limit.js";

/** node-av's low-level calls and FFmpeg's constants. */
export interface NodeAv {
  readonly lib: typeof import("node-av/lib");
  readonly constants: typeof import("node-av/constants");
}

type FormatContext = InstanceType<NodeAv["lib"]["FormatContext"]>;
type Packet = InstanceType<NodeAv["lib"]["Packet"]>;
type Parameters = InstanceType<NodeAv["lib"]["CodecParameters"]>;

/** FFmpeg's "no timestamp". */
export const NO_TIME = -(2n ** 63n);
const { ENOMEM, ENFILE, EMFILE } = constants.errno;
/** Bytes that a machine which is not out of memory can give. */
const LITTLE_MEMORY = 1 << 26;

export class PacketStream {
  readonly path: string;
  /** The packet read last. */
  readonly packet: Packet;
  readonly #av: NodeAv;
  readonly #stream: number;
  #format: FormatContext;
  /** Whether nothing has been read since the file was opened. */
  #fresh = true;
  /** Whether a seek has read the next packet already. */
  #pending = false;

  /**
   * @throws VideomaeError that names the file when it cannot be opened or has no video stream; another error when the
   * machine is out of memory or of files
   */
  constructor(path: string, av: NodeAv) {
    this.path = path;
    this.#av = av;
    this.#format = this.#open();
    this.packet = new av.lib.Packet();
    this.packet.alloc();
    try {
      this.#stream = this.#findStream();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Codec, size and rotation of the stream. */
  get parameters(): Parameters {
    return this.#format.streams[this.#stream].codecpar;
  }

  /** Width of a pixel divided by its height; 1 where nothing is said. The container's word counts before the codec's. */
  get pixelAspect(): number {
    const stream = this.#format.streams[this.#stream];
    const { num, den } =
      stream.sampleAspectRatio.num > 0 ? stream.sampleAspectRatio : this.parameters.sampleAspectRatio;
    return num > 0 && den > 0 ? num / den : 1;
  }

  /** Seconds of a unit of its timestamps. */
  get timeBase(): number {
    const { num, den } = this.#format.streams[this.#stream].timeBase;
    return num / den;
  }

  /** The average rate that the file states, in frames a second; 0 or NaN when it states none. */
  get rate(): number {
    // A bare stream has no container to state a rate, and the library would make one up.
    const bare = ((this.#format.iformat?.flags ?? 0) & this.#av.constants.AVFMT_NOTIMESTAMPS) !== 0;
    const { num, den } = bare ? this.parameters.frameRate : this.#format.streams[this.#stream].avgFrameRate;
    return num / den;
  }

  /** Reads the next packet. Returns 0, or FFmpeg's error code (AVERROR_EOF at the end). */
  next(): number {
    if (this.#pending) {
      this.#pending = false;
      return 0;
    }
    this.#fresh = false;
    for (;;) {
      const code = this.#format.readFrameSync(this.packet);
      if (code < 0) return code;
      if (this.packet.streamIndex === this.#stream) return 0;
      this.packet.unref();
    }
  }

  /** Makes the first packet the next one. */
  rewind(): void {
    this.#drop();
    if (this.#fresh) return;
    // Opened anew, because a seek to the start is not exact in every container (there may be no timestamps).
    this.#format.closeInputSync();
    this.#format = this.#open();
    this.#fresh = true;
  }

  /** Seeks to a key packet or one before it. Returns the ordinal of the next packet, undefined when that is unknown. */
  seek(key: KeyPacket, index: FrameIndex): number | undefined {
    this.#drop();
    this.#fresh = false;
    const code = this.#format.seekFrameSync(this.#stream, key.seekTo, this.#av.constants.AVSEEK_FLAG_BACKWARD);
    if (code < 0 || this.next() < 0) return undefined;
    this.#pending = true;
    const ordinal = index.landed(packetMark(this.#record()));
    return ordinal === undefined || ordinal > key.ordinal ? undefined : ordinal;
  }

  /**
   * Every packet of the file, from the start.
   * @throws VideomaeError when the file cannot be read to its end, or the limit is over
   */
  list(limit: TimeLimit): PacketRecord[] {
    const { AVERROR_EOF, AV_PKT_FLAG_CORRUPT } = this.#av.constants;
    const packets: PacketRecord[] = [];
    let cut = false;
    this.rewind();
    let code = this.next();
    for (; code >= 0; code = this.next()) {
      limit.check(this.path);
      packets.push(this.#record());
      cut = this.packet.hasFlags(AV_PKT_FLAG_CORRUPT);
      this.packet.unref();
    }
    if (code !== AVERROR_EOF) {
      throw this.error("a whole file", `one that cannot be read past packet ${packets.length}: ${this.text(code)}`);
    }
    // An mp4 lists its packets in one table, so a file cut short is known before anything is decoded.
    const stated = Number(this.#format.streams[this.#stream].nbFrames);
    if (this.#format.iformat?.name?.includes("mp4") && (cut || packets.length < stated)) {
      throw this.error(`${stated} frames`, `a file cut short after ${packets.length - (cut ? 1 : 0)}`);
    }
    return packets;
  }

  close(): void {
    this.packet.free();
    this.#format.closeInputSync();
  }

  /** What an error code means. */
  text(code: number): string {
    return this.#av.lib.FFmpegError.strerror(code);
  }

  /** An error that names the file. */
  error(expected: string, got: string): VideomaeError {
    return new VideomaeError({ op: this.path, expected, got });
  }

  #drop(): void {
    if (this.#pending) this.packet.unref();
    this.#pending = false;
  }

  #open(): FormatContext {
    const format = new this.#av.lib.FormatContext();
    // A playlist under a video's name must not reach for other places.
    const options = this.#av.lib.Dictionary.fromObject({ protocol_whitelist: "file" });
    const opened = format.openInputSync(`file:${this.path}`, null, options);
    options.free();
    if (isMachinesFault(opened)) throw new Error(`${this.path}: ${this.text(opened)}`);
    if (opened < 0) throw this.error("a video file", this.text(opened));
    const probed = format.findStreamInfoSync();
    if (probed >= 0) return format;
    format.closeInputSync();
    throw this.error("a video file", this.text(probed));
  }

  #findStream(): number {
    const { AVMEDIA_TYPE_VIDEO, AV_DISPOSITION_DEFAULT } = this.#av.constants;
    const { AV_DISPOSITION_ATTACHED_PIC, AV_DISPOSITION_TIMED_THUMBNAILS, AV_DISPOSITION_STILL_IMAGE } =
      this.#av.constants;
    const pictures = [AV_DISPOSITION_ATTACHED_PIC, AV_DISPOSITION_TIMED_THUMBNAILS, AV_DISPOSITION_STILL_IMAGE];
    const videos = this.#format.streams.filter((stream) => stream.codecpar.codecType === AVMEDIA_TYPE_VIDEO);
    const described = videos.map((stream) => ({
      index: stream.index,
      picture: pictures.some((disposition) => stream.hasDisposition(disposition)),
      default: stream.hasDisposition(AV_DISPOSITION_DEFAULT),
      bitRate: Number(stream.codecpar.bitRate),
    }));
    return chooseStream(this.path, described).index;
  }

  #record(): PacketRecord {
    const { pts, dts, pos, size, isKeyframe } = this.packet;
    return {
      pts: pts === NO_TIME ? undefined : pts,
      dts: dts === NO_TIME ? undefined : dts,
      position: pos,
      size,
      key: isKeyframe,
      discard: this.packet.hasFlags(this.#av.constants.AV_PKT_FLAG_DISCARD),
    };
  }
}

/** Whether a code means no memory or too many open files: not the fault of a file, whose frames are not to be replaced. */
function isMachinesFault(code: number): boolean {
  if (code === -ENFILE || code === -EMFILE) return true;
  if (code !== -ENOMEM) return false;
  // A damaged file may ask for more than any machine has.
  try {
    new ArrayBuffer(LITTLE_MEMORY);
    return false;
  } catch {
    return true;
  }
}
