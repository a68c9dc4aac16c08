// Which packet holds which frame of a video, and where decoding must start to get it.
//
// Frames are numbered in the order they come out of a decoder ("rank"), packets in the order they lie in the file
// ("ordinal"). Every packet's timestamp is replaced by its ordinal before decoding; the decoder carries it through its
// reordering, so a frame says which packet it came from, whatever the container says about time. What is left to find
// is the rank of each ordinal: where all timestamps are there and distinct, by sorting them (one pass over the packets,
// no decoding); otherwise by decoding the file once.

/** What one pass over the file says of a packet of the video stream. */
export interface PacketRecord {
  readonly pts: bigint | undefined;
  readonly dts: bigint | undefined;
  readonly position: bigint;
  readonly size: number;
  readonly key: boolean;
  /** The decoder is told to drop its frame (an edit list cuts it off). */
  readonly discard: boolean;
}

/** A packet that decoding can start at. */
export interface KeyPacket {
  readonly ordinal: number;
  readonly rank: number;
  readonly seekTo: bigint;
  readonly mark: string;
}

const TINY_PACKET = 8;

/** What tells a packet from the others after a seek. Decoding times do not: some demuxers guess them anew. */
export function packetMark(packet: Pick<PacketRecord, "pts" | "dts" | "position" | "size">): string {
  return `${packet.pts ?? packet.dts}:${packet.position}:${packet.size}`;
}

/**
 * The ordinals of the frames in display order by timestamps alone, or undefined where these cannot be trusted: missing
 * or doubled; a first packet that is no key frame, or pictures before it (not decodable); packets too small to be a
 * picture, which show nothing or repeat one.
 */
export function ordinalsByTime(packets: readonly PacketRecord[]): Int32Array | undefined {
  if (packets.length === 0 || !packets[0].key) return undefined;
  const first = packets[0].pts;
  const seen = new Set<bigint>();
  const shown: number[] = [];
  for (const [ordinal, { pts, size, discard }] of packets.entries()) {
    if (pts === undefined || first === undefined || pts < first || seen.has(pts) || size < TINY_PACKET)
      return undefined;
    seen.add(pts);
    if (!discard) shown.push(ordinal);
  }
  shown.sort((a, b) => (packets[a].pts! < packets[b].pts! ? -1 : 1));
  return Int32Array.from(shown);
}

/** Frames by rank and by packet, and where to start decoding. */
export class FrameIndex {
  readonly frameCount: number;
  /**
   * Rank by ordinal, -1 for a packet that shows nothing. Undefined where a decoder does not say which packet a frame
   * came from: then frames can only be counted from the start.
   */
  readonly ranks: Int32Array | undefined;
  /** Whether every packet that is not cut off holds one frame: not so where fields lie in packets of their own. */
  readonly packetsAreFrames: boolean;
  readonly #ordinals: Int32Array;
  readonly #keys: readonly KeyPacket[];
  readonly #byMark: ReadonlyMap<string, number>;

  /** @param ordinals  the packet of each frame, in the order of display */
  constructor(packets: readonly PacketRecord[], ordinals: Int32Array) {
    this.frameCount = ordinals.length;
    this.#ordinals = ordinals;
    const ranks = new Int32Array(packets.length).fill(-1);
    let distinct = true;
    for (const [rank, ordinal] of ordinals.entries()) {
      if (ordinal < 0 || ordinal >= packets.length || ranks[ordinal] !== -1) distinct = false;
      else ranks[ordinal] = rank;
    }
    this.ranks = distinct ? ranks : undefined;
    this.packetsAreFrames = distinct && packets.every(({ discard }, ordinal) => discard || ranks[ordinal] !== -1);
    const keys: KeyPacket[] = [];
    const byMark = new Map<string, number>();
    for (const [ordinal, packet] of packets.entries()) {
      const seekTo = packet.pts ?? packet.dts;
      if (!packet.key || seekTo === undefined) continue;
      const mark = packetMark(packet);
      byMark.set(mark, byMark.has(mark) ? -1 : ordinal);
      // A key packet cut off by an edit list has no rank, and is the only way into what follows.
      if (packet.discard) keys.push({ ordinal, rank: -1, seekTo, mark });
      else if (ranks[ordinal] >= 0) keys.push({ ordinal, rank: ranks[ordinal], seekTo, mark });
    }
    this.#keys = keys;
    this.#byMark = byMark;
  }

  /** The ordinal of the packet that holds a frame. */
  ordinal(rank: number): number {
    return this.#ordinals[rank];
  }

  /**
   * The last key packet from which the frame decodes: it precedes the frame in the file and is not shown after it (a
   * picture shown before the key packet it follows may refer to what came before).
   */
  startFor(rank: number): KeyPacket | undefined {
    if (this.ranks === undefined) return undefined;
    const ordinal = this.#ordinals[rank];
    return this.#keys.findLast((key) => key.ordinal <= ordinal && key.rank <= rank);
  }

  /** The ordinal of the packet that a seek ended at, or undefined where that cannot be told. */
  landed(mark: string): number | undefined {
    const ordinal = this.#byMark.get(mark);
    return ordinal === -1 ? undefined : ordinal;
  }
}
