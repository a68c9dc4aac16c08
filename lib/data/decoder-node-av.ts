// Video decoding by node-av (FFmpeg's libraries as a Node addon; an optional peer, loaded on demand). Its synchronous
// calls are used: a clip is a few hundred of them, and loaders run them in worker threads, one decoding thread each.
//
// Frame-accurate: see frame-index.ts. A read seeks to the key packet before the first wanted frame and decodes forward;
// where that does not yield every frame undamaged it is done again from the start of the file.

import type { Orientation } from "../ops/frame-to-rgb.js";
import { fileIdentity } from "./file-identity.js";
import { FrameIndex, ordinalsByTime } from "./frame-index.js";
import { frameTimes } from "./frame-times.js";
import { NO_TIME, type NodeAv, PacketStream } from "./node-av-packets.js";
import { NodeAvPictures } from "./node-av-pictures.js";
import { orientationOf } from "./orientation.js";
import type { StoredDecoder, StoredPicture, StoredVideo } from "./stored-video.js";
import type { TimeLimit } from "./time-limit.js";

type Frame = InstanceType<NodeAv["lib"]["Frame"]>;
type Deliver = (rank: number, picture: StoredPicture) => void;

const KEPT_INDEXES = 4096;

interface Indexed {
  readonly index: FrameIndex;
  readonly times: Float64Array;
}

/** What is known of files seen before, by identity: a file that left the cache of open files keeps it. */
const known = new Map<string, Indexed>();

/** Loads node-av. Rejects when it is not installed or its binary does not load. */
export async function nodeAvDecoder(): Promise<StoredDecoder> {
  const [lib, constants] = await Promise.all([import("node-av/lib"), import("node-av/constants")]);
  // Damaged files are reported as errors; FFmpeg's own lines would only tear a progress bar.
  lib.Log.setLevel(constants.AV_LOG_QUIET);
  const { version, libraries } = lib.getFFmpegInfo();
  return {
    name: "node-av",
    version: `FFmpeg ${version}, libavcodec ${libraries.avcodec}`,
    open: async (path, limit) => new NodeAvFile(path, { lib, constants }, limit),
  };
}

class NodeAvFile implements StoredVideo {
  readonly path: string;
  readonly frameCount: number;
  readonly width: number;
  readonly height: number;
  readonly orientation: Orientation;
  readonly pixelAspect: number;
  readonly times: Float64Array;
  readonly #av: NodeAv;
  readonly #packets: PacketStream;
  readonly #index: FrameIndex;
  readonly #decoder: InstanceType<NodeAv["lib"]["CodecContext"]>;
  readonly #frame: Frame;
  readonly #pictures: NodeAvPictures;
  #closed = false;
  readonly #isH264: boolean;
  /** Whether the last frame seen was a whole one of H.264, not two fields. */
  #skippable = false;
  #skips = false;

  constructor(path: string, av: NodeAv, limit: TimeLimit) {
    this.path = path;
    this.#av = av;
    const identity = fileIdentity(path);
    this.#packets = new PacketStream(path, av);
    const { parameters } = this.#packets;
    this.width = parameters.width;
    this.height = parameters.height;
    this.orientation = orientationOf(
      displayMatrix(parameters.getCodedSideData(av.constants.AV_PKT_DATA_DISPLAYMATRIX)),
    );
    this.pixelAspect = this.#packets.pixelAspect;
    this.#isH264 = parameters.codecId === av.constants.AV_CODEC_ID_H264;
    this.#decoder = new av.lib.CodecContext();
    this.#frame = new av.lib.Frame();
    this.#frame.alloc();
    this.#pictures = new NodeAvPictures(path, av);
    try {
      this.#openDecoder();
      const { index, times } = this.#look(identity, limit);
      this.#index = index;
      this.times = times;
      this.frameCount = index.frameCount;
    } catch (error) {
      this.close();
      throw error;
    }
  }

  async decode(ranks: readonly number[], deliver: Deliver, limit: TimeLimit): Promise<void> {
    for (const run of this.#runs(ranks)) {
      if (this.#decode(run, deliver, "seek", limit) === undefined) continue;
      const reason = this.#decode(run, deliver, "start", limit);
      if (reason === undefined) continue;
      throw this.#packets.error(`frames ${run[0]} to ${run[run.length - 1]} to decode`, reason);
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#frame.free();
    this.#pictures.close();
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

  /** Decodes and delivers the wanted ranks (ascending). Returns why that failed, or undefined. */
  #decode(wanted: readonly number[], deliver: Deliver, by: "seek" | "start", limit: TimeLimit): string | undefined {
    const from = this.#position(wanted[0], by);
    if (from === undefined) return "seeking failed";
    const left = new Set(wanted);
    const needed = new Set(wanted.map((rank) => this.#index.ordinal(rank)));
    const ranks = this.#index.ranks;
    // Pictures shown before the first packet may refer to what was skipped, so damage in them does not count.
    const first = ranks?.[from] ?? 0;
    const last = wanted[wanted.length - 1];
    let damage: string | undefined;
    let count = 0;
    const ended = this.#run(from, limit, {
      needed: (ordinal) => !this.#index.packetsAreFrames || needed.has(ordinal),
      packetError: (ordinal, text) => {
        damage ??= `packet ${ordinal} does not decode (${text})`;
      },
      frame: (frame, ordinal) => {
        const rank = ranks === undefined ? count++ : (ranks[ordinal] ?? -1);
        if (frame.decodeErrorFlags !== 0 && rank >= first && rank <= last) damage ??= `frame ${rank} is damaged`;
        if (left.delete(rank)) deliver(rank, this.#pictures.stored(frame));
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
    limit: TimeLimit,
    on: {
      needed(ordinal: number): boolean;
      packetError(ordinal: number, text: string): void;
      frame(frame: Frame, ordinal: number): boolean;
    },
  ): string | undefined {
    const { packet } = this.#packets;
    for (let ordinal = from; ; ordinal++) {
      limit.check(this.path);
      const code = this.#packets.next();
      if (code < 0) {
        this.#decoder.sendPacketSync(null);
        this.#drain(on.frame);
        return code === this.#av.constants.AVERROR_EOF ? undefined : this.#packets.text(code);
      }
      packet.pts = BigInt(ordinal);
      this.#skipWhereUseless(!on.needed(ordinal));
      const sent = this.#decoder.sendPacketSync(packet);
      packet.unref();
      if (sent < 0) on.packetError(ordinal, this.#packets.text(sent));
      if (!this.#drain(on.frame)) return undefined;
    }
  }

  /**
   * Whether to leave out the next packet's picture where no other refers to it: a fifth of a clip's time in usual H.264.
   * Other codecs do not say as surely which pictures those are.
   */
  #skipWhereUseless(useless: boolean): void {
    const skip = useless && this.#skippable;
    if (skip === this.#skips) return;
    this.#decoder.setOption("skip_frame", skip ? "noref" : "default");
    this.#skips = skip;
  }

  #drain(onFrame: (frame: Frame, ordinal: number) => boolean): boolean {
    while (this.#decoder.receiveFrameSync(this.#frame) >= 0) {
      const { pts } = this.#frame;
      this.#skippable = this.#isH264 && !this.#frame.hasFlags(this.#av.constants.AV_FRAME_FLAG_INTERLACED);
      const more = onFrame(this.#frame, pts === NO_TIME ? -1 : Number(pts));
      this.#frame.unref();
      if (!more) return false;
    }
    return true;
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
    // Arithmetic that is the same in every version and on every processor: the inverse transform of Xvid is not, otherwise.
    this.#decoder.setFlags(this.#av.constants.AV_CODEC_FLAG_BITEXACT);
    if (code >= 0) code = this.#decoder.open2Sync(codec, null);
    if (code < 0) throw this.#packets.error(`the decoder ${codec.name} to open`, this.#packets.text(code));
  }

  /** The index of the file's frames and their times, found now unless known. */
  #look(identity: string, limit: TimeLimit): Indexed {
    let indexed = known.get(identity);
    if (indexed === undefined) {
      const packets = this.#packets.list(limit);
      // VP8 keeps pictures that are never shown in packets of their own, with timestamps like any other.
      const isVp8 = this.#packets.parameters.codecId === this.#av.constants.AV_CODEC_ID_VP8;
      const ordinals = (isVp8 ? undefined : ordinalsByTime(packets)) ?? this.#decodeOrder(limit);
      const stamps = Array.from(ordinals, (ordinal) => packets[ordinal]?.pts).map((pts) =>
        pts === undefined ? undefined : Number(pts),
      );
      const { timeBase, rate } = this.#packets;
      indexed = { index: new FrameIndex(packets, ordinals), times: frameTimes(stamps, timeBase, rate) };
      if (known.size >= KEPT_INDEXES) known.delete(known.keys().next().value!);
    }
    known.delete(identity);
    known.set(identity, indexed); // last again: the first is the one not used for longest
    return indexed;
  }

  /** The packet of each frame in the order in which they come out: decodes the whole file. */
  #decodeOrder(limit: TimeLimit): Int32Array {
    const ordinals: number[] = [];
    this.#packets.rewind();
    this.#run(0, limit, {
      needed: () => true,
      packetError: () => {},
      frame: (_, ordinal) => ordinals.push(ordinal) > 0,
    });
    return Int32Array.from(ordinals);
  }
}

/** Nine little-endian 32-bit integers. */
function displayMatrix(bytes: Uint8Array | null): number[] | undefined {
  if (bytes === null || bytes.byteLength < 36) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: 9 }, (_, i) => view.getInt32(i * 4, true));
}
