// Video decoding by node-av (FFmpeg's libraries as a Node addon; an optional peer, loaded on demand). Its synchronous
// calls are used: a clip is a few hundred of them, and loaders run them in worker threads, one decoding thread each.
//
// Frame-accurate: see frame-index.ts. A read seeks to the key packet before the first wanted frame and decodes forward;
// where that does not yield every frame undamaged it is done again from the start of the file.

import { checkRead, type VideoDecoder, type VideoFile, wantedSlots } from "./decoder.js";
import { fileIdentity } from "./file-identity.js";
import { FrameIndex, ordinalsByTime } from "./frame-index.js";
import { NO_TIME, type NodeAv, PacketStream } from "./node-av-packets.js";
import { isUpright, type Orientation, orient, orientationOf } from "./orientation.js";

type Frame = InstanceType<NodeAv["lib"]["Frame"]>;

const KEPT_INDEXES = 4096;

/** Indexes of files seen before, by path, size and time of change: a file that left the cache of open files keeps it. */
const indexes = new Map<string, FrameIndex>();

/** Loads node-av. Rejects when it is not installed or its binary does not load. */
export async function nodeAvDecoder(): Promise<VideoDecoder> {
  const [lib, constants] = await Promise.all([import("node-av/lib"), import("node-av/constants")]);
  // Damaged files are reported as errors; FFmpeg's own lines would only tear a progress bar.
  if (lib.Log.getLevel() > constants.AV_LOG_FATAL) lib.Log.setLevel(constants.AV_LOG_FATAL);
  return { name: "node-av", open: async (path) => new NodeAvFile(path, { lib, constants }) };
}

class NodeAvFile implements VideoFile {
  readonly path: string;
  readonly frameCount: number;
  readonly width: number;
  readonly height: number;
  readonly #av: NodeAv;
  readonly #packets: PacketStream;
  readonly #storedWidth: number;
  readonly #storedHeight: number;
  readonly #orientation: Orientation;
  readonly #index: FrameIndex;
  readonly #decoder: InstanceType<NodeAv["lib"]["CodecContext"]>;
  readonly #frame: Frame;
  readonly #picture: Frame;
  readonly #scaler: InstanceType<NodeAv["lib"]["SoftwareScaleContext"]>;
  #closed = false;

  constructor(path: string, av: NodeAv) {
    this.path = path;
    this.#av = av;
    const identity = fileIdentity(path);
    this.#packets = new PacketStream(path, av);
    const parameters = this.#packets.parameters;
    this.#storedWidth = parameters.width;
    this.#storedHeight = parameters.height;
    this.#orientation = orientationOf(parameters.getCodedSideData(av.constants.AV_PKT_DATA_DISPLAYMATRIX));
    this.#decoder = new av.lib.CodecContext();
    this.#frame = new av.lib.Frame();
    this.#picture = new av.lib.Frame();
    this.#scaler = new av.lib.SoftwareScaleContext();
    this.#frame.alloc();
    this.#picture.alloc();
    this.#scaler.allocContext();
    try {
      this.#openDecoder();
      this.#index = this.#frameIndex(identity);
      if (this.#index.frameCount === 0 || this.#storedWidth === 0 || this.#storedHeight === 0) {
        throw this.#packets.error("at least one frame", "a video stream without frames");
      }
    } catch (error) {
      this.close();
      throw error;
    }
    this.frameCount = this.#index.frameCount;
    const { transpose } = this.#orientation;
    this.width = transpose ? this.#storedHeight : this.#storedWidth;
    this.height = transpose ? this.#storedWidth : this.#storedHeight;
  }

  async read(indices: readonly number[], out: Uint8Array): Promise<void> {
    checkRead(this, indices, out);
    const slots = wantedSlots(indices);
    const ranks = [...slots.keys()].sort((a, b) => a - b);
    for (const run of this.#runs(ranks)) {
      if (this.#decode(run, slots, out, "seek") === undefined) continue;
      const reason = this.#decode(run, slots, out, "start");
      if (reason === undefined) continue;
      throw this.#packets.error(`frames ${run[0]} to ${run[run.length - 1]} to decode`, reason);
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#frame.free();
    this.#picture.free();
    this.#scaler.freeContext();
    this.#decoder.freeContext();
    this.#packets.close();
  }

  /** Splits ascending ranks where seeking anew skips packets. */
  #runs(ranks: readonly number[]): number[][] {
    const runs: number[][] = [];
    for (const rank of ranks) {
      const run = runs[runs.length - 1];
      const start = this.#index.startFor(rank)?.ordinal ?? 0;
      if (run === undefined || start > this.#index.ordinal(run[run.length - 1]) + 1) runs.push([rank]);
      else run.push(rank);
    }
    return runs;
  }

  /** Decodes the wanted ranks (ascending) into their slots. Returns why that failed, or undefined. */
  #decode(
    wanted: readonly number[],
    slots: Map<number, number[]>,
    out: Uint8Array,
    by: "seek" | "start",
  ): string | undefined {
    const from = this.#position(wanted[0], by);
    if (from === undefined) return "seeking failed";
    const left = new Set(wanted);
    const ranks = this.#index.ranks;
    // Pictures shown before the first packet may refer to what was skipped, so damage in them does not count.
    const first = ranks?.[from] ?? 0;
    const last = wanted[wanted.length - 1];
    let damage: string | undefined;
    let count = 0;
    const ended = this.#run(from, {
      packetError: (ordinal, text) => {
        damage ??= `packet ${ordinal} does not decode (${text})`;
      },
      frame: (frame, ordinal) => {
        const rank = ranks === undefined ? count++ : (ranks[ordinal] ?? -1);
        if (frame.decodeErrorFlags !== 0 && rank >= first && rank <= last) damage ??= `frame ${rank} is damaged`;
        if (left.delete(rank)) this.#convert(frame, slots.get(rank)!, out);
        return damage === undefined && left.size > 0;
      },
    });
    if (damage !== undefined) return `a damaged file: ${damage}`;
    if (left.size > 0) return `${left.size} of them missing${ended ? ` (${ended})` : ""}`;
    return undefined;
  }

  /** Makes ready to decode. Returns the ordinal of the next packet, or undefined when seeking failed or is no use. */
  #position(rank: number, by: "seek" | "start"): number | undefined {
    this.#decoder.flushBuffers();
    const key = by === "seek" ? this.#index.startFor(rank) : undefined;
    if (key !== undefined && key.ordinal > 0) return this.#packets.seek(key, this.#index);
    if (by === "seek") return undefined;
    this.#packets.rewind();
    return 0;
  }

  /**
   * Decodes from the next packet, which has ordinal `from`, until `frame` returns false or the file ends. Returns why
   * reading ended when that was not the end of the file.
   */
  #run(
    from: number,
    on: { packetError(ordinal: number, text: string): void; frame(frame: Frame, ordinal: number): boolean },
  ): string | undefined {
    const { packet } = this.#packets;
    for (let ordinal = from; ; ordinal++) {
      const code = this.#packets.next();
      if (code < 0) {
        this.#decoder.sendPacketSync(null);
        this.#drain(on.frame);
        return code === this.#av.constants.AVERROR_EOF ? undefined : this.#packets.text(code);
      }
      packet.pts = BigInt(ordinal);
      const sent = this.#decoder.sendPacketSync(packet);
      packet.unref();
      if (sent < 0) on.packetError(ordinal, this.#packets.text(sent));
      if (!this.#drain(on.frame)) return undefined;
    }
  }

  #drain(onFrame: (frame: Frame, ordinal: number) => boolean): boolean {
    while (this.#decoder.receiveFrameSync(this.#frame) >= 0) {
      const { pts } = this.#frame;
      const more = onFrame(this.#frame, pts === NO_TIME ? -1 : Number(pts));
      this.#frame.unref();
      if (!more) return false;
    }
    return true;
  }

  /** A frame as RGB24 in its display orientation and the size of the first, into every slot that wants it. */
  #convert(frame: Frame, slots: readonly number[], out: Uint8Array): void {
    const { AV_FRAME_FLAG_INTERLACED, AV_PIX_FMT_RGB24 } = this.#av.constants;
    const picture = this.#picture;
    picture.unref();
    picture.width = this.#storedWidth;
    picture.height = this.#storedHeight;
    picture.format = AV_PIX_FMT_RGB24;
    // Only the colour model and the range change: the scaler would map another transfer curve or gamut (HDR) slowly, and
    // would scale the two fields of an interlaced frame apart.
    picture.colorPrimaries = frame.colorPrimaries;
    picture.colorTrc = frame.colorTrc;
    frame.clearFlags(AV_FRAME_FLAG_INTERLACED);
    const allocated = picture.getBuffer();
    const code = allocated < 0 ? allocated : this.#scaler.scaleFrameSync(picture, frame);
    if (code < 0) throw this.#packets.error("a picture that converts to RGB", this.#packets.text(code));

    const pixels = picture.data![0];
    const stride = picture.linesize[0];
    const bytes = this.width * this.height * 3;
    const first = out.subarray(slots[0] * bytes, (slots[0] + 1) * bytes);
    const row = this.#storedWidth * 3;
    if (!isUpright(this.#orientation)) {
      orient(pixels, stride, this.#storedWidth, this.#storedHeight, this.#orientation, first);
    } else {
      for (let y = 0; y < this.height; y++) first.set(pixels.subarray(y * stride, y * stride + row), y * row);
    }
    for (const slot of slots.slice(1)) out.set(first, slot * bytes);
  }

  #openDecoder(): void {
    const { Codec, avGetCodecName } = this.#av.lib;
    const { parameters } = this.#packets;
    const codec = Codec.findDecoder(parameters.codecId);
    if (codec === null) {
      const name = avGetCodecName(parameters.codecId) ?? `${parameters.codecId}`;
      throw this.#packets.error("a codec that node-av decodes", name);
    }
    this.#decoder.allocContext3(codec);
    let code = this.#decoder.parametersToContext(parameters);
    this.#decoder.threadCount = 1;
    if (code >= 0) code = this.#decoder.open2Sync(codec, null);
    if (code < 0) throw this.#packets.error(`the decoder ${codec.name} to open`, this.#packets.text(code));
  }

  #frameIndex(identity: string): FrameIndex {
    let index = indexes.get(identity);
    if (index === undefined) {
      const packets = this.#packets.list();
      // VP8 keeps pictures that are never shown in packets of their own, with timestamps like any other.
      const isVp8 = this.#packets.parameters.codecId === this.#av.constants.AV_CODEC_ID_VP8;
      index = new FrameIndex(packets, (isVp8 ? undefined : ordinalsByTime(packets)) ?? this.#decodeOrder());
      if (indexes.size >= KEPT_INDEXES) indexes.delete(indexes.keys().next().value!);
    }
    indexes.delete(identity);
    indexes.set(identity, index); // last again: the first is the one not used for longest
    return index;
  }

  /** The packet of each frame in the order in which they come out: decodes the whole file. */
  #decodeOrder(): Int32Array {
    const ordinals: number[] = [];
    this.#packets.rewind();
    this.#run(0, { packetError: () => {}, frame: (_, ordinal) => ordinals.push(ordinal) > 0 });
    return Int32Array.from(ordinals);
  }
}
