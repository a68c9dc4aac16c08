import { describe, expect, it } from "vitest";
import { FrameIndex, ordinalsByTime, type PacketRecord, packetMark } from "#lib/data/frame-index.js";

function packets(...rows: [pts: number | undefined, key?: "key", discard?: "discard"][]): PacketRecord[] {
  return rows.map(([pts, key, discard], i) => ({
    ...{ pts: pts === undefined ? undefined : BigInt(pts), dts: BigInt(i), position: BigInt(i * 100), size: 100 },
    ...{ key: key === "key", discard: discard === "discard" },
  }));
}

describe("ordinalsByTime", () => {
  it("sorts by time and leaves out what is cut off", () => {
    expect(ordinalsByTime(packets([0, "key", "discard"], [3], [1], [2]))).toEqual(Int32Array.of(2, 3, 1));
  });

  it.each([
    ["no packets", packets()],
    ["a missing time", packets([0, "key"], [undefined])],
    ["a doubled time", packets([0, "key"], [1], [1])],
    ["a start without a key frame", packets([0], [1])],
    ["pictures before the first key frame", packets([2, "key"], [0], [1])],
    ["a packet too small for a picture", packets([0, "key"], [1]).map((p, i) => ({ ...p, size: i ? 1 : 9 }))],
  ])("does not trust %s", (_, records) => {
    expect(ordinalsByTime(records)).toBeUndefined();
  });
});

describe("FrameIndex", () => {
  // Shown: 0 1 2 | 3 4 | 5; packet 4 is a key frame preceded in time by packet 5, which may refer to packet 2.
  const records = packets([0, "key"], [2], [1], [4, "key"], [3], [5]);
  const index = new FrameIndex(records, ordinalsByTime(records)!);

  it("starts at the last key packet that is shown no later", () => {
    expect([0, 1, 2, 3, 4, 5].map((rank) => index.startFor(rank)?.ordinal)).toEqual([0, 0, 0, 0, 3, 3]);
  });

  it("knows packets again, unless two look alike", () => {
    expect(index.landed(packetMark(records[3]))).toBe(3);
    expect(index.landed(packetMark(records[4]))).toBeUndefined();
    const twins = [...records, { ...records[3] }];
    expect(new FrameIndex(twins, Int32Array.of(0, 1, 2, 3, 4, 5, 6)).landed(packetMark(records[3]))).toBeUndefined();
  });

  it("knows whether every packet holds a frame", () => {
    expect(index.packetsAreFrames).toBe(true);
    const cut = packets([0, "key", "discard"], [1], [2]);
    expect(new FrameIndex(cut, ordinalsByTime(cut)!).packetsAreFrames).toBe(true);
    expect(new FrameIndex(records, Int32Array.of(0, 2, 4)).packetsAreFrames).toBe(false);
  });

  it("counts frames when a decoder does not say where they came from", () => {
    const blind = new FrameIndex(records, Int32Array.of(0, 0, -1));
    expect(blind.frameCount).toBe(3);
    expect(blind.ranks).toBeUndefined();
    expect(blind.startFor(2)).toBeUndefined();
    expect(blind.packetsAreFrames).toBe(false);
  });
});
