// Event files: framing and messages byte by byte, and TensorBoard's own reader where Python has it.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { EventFile } from "#lib/log/event-file.js";
import { temporaryFolder } from "../temporary-folder.js";
import { readEvents, skipWithoutTensorBoard } from "./read-events.js";

const folder = temporaryFolder();

/** The records of a file, their lengths checked against its own. */
function recordsOf(path: string): Uint8Array[] {
  const file = readFileSync(path);
  const records: Uint8Array[] = [];
  for (let at = 0; at < file.length; ) {
    const length = Number(file.readBigUInt64LE(at));
    records.push(file.subarray(at + 12, at + 12 + length));
    at += 16 + length;
  }
  return records;
}

/** The fields of a message by number; messages inside as bytes. */
function fieldsOf(record: Uint8Array): Map<number, (number | string | Uint8Array)[]> {
  const reader = new BinaryReader(record);
  const fields = new Map<number, (number | string | Uint8Array)[]>();
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag();
    const value =
      type === WireType.Bit64
        ? reader.double()
        : type === WireType.Bit32
          ? reader.float()
          : type === WireType.Varint
            ? Number(reader.int64())
            : reader.bytes();
    fields.set(number, [...(fields.get(number) ?? []), value]);
  }
  return fields;
}

const text = (value: unknown) => new TextDecoder().decode(value as Uint8Array);

describe("an event file", () => {
  it("begins with its version and the step that it goes on from, then has a record a call", async () => {
    const picture = await sharp({ create: { width: 6, height: 4, channels: 3, background: "red" } })
      .png()
      .toBuffer();
    using events = new EventFile(join(folder, "a"), 40, () => 1_700_000_000_500);
    events.scalars(41, { loss: 0.75, "learning rate": 1e-4 }, 1_700_000_001_000);
    events.picture(42, "reconstruction", { bytes: picture, width: 6, height: 4 });
    const [version, start, numbers, image] = recordsOf(events.path).map(fieldsOf);
    expect(text(version.get(3)![0])).toBe("brain.Event:2");
    expect(version.get(1)).toEqual([1_700_000_000.5]);
    expect([start.get(2), [...(start.get(7)![0] as Uint8Array)]]).toEqual([[40], [8, 1]]);
    expect([numbers.get(1), numbers.get(2)]).toEqual([[1_700_000_001], [41]]);
    const values = fieldsOf(numbers.get(5)![0] as Uint8Array)
      .get(1)!
      .map((value) => fieldsOf(value as Uint8Array));
    expect(values.map((value) => [text(value.get(1)![0]), value.get(2)![0]])).toEqual([
      ["loss", 0.75],
      ["learning rate", Math.fround(1e-4)],
    ]);
    const shown = fieldsOf(fieldsOf(image.get(5)![0] as Uint8Array).get(1)![0] as Uint8Array);
    const { width, height } = { width: 6, height: 4 };
    const content = fieldsOf(shown.get(4)![0] as Uint8Array);
    expect([content.get(1), content.get(2), content.get(3)]).toEqual([[height], [width], [3]]);
    expect(Buffer.compare(Buffer.from(content.get(4)![0] as Uint8Array), picture)).toBe(0);
  });

  it("has checksums that others compute alike", () => {
    using events = new EventFile(join(folder, "b"), 0, () => 0);
    const file = readFileSync(events.path);
    // The first record has 24 bytes, as that of every event file: these twelve bytes begin them all.
    expect(Number(file.readBigUInt64LE(0))).toBe(24);
    expect(file.readUInt32LE(8)).toBe(0x224b7fa3);
  });

  it("says which file cannot be written", () => {
    const events = new EventFile(join(folder, "c"), 0);
    events.close();
    expect(() => events.scalars(1, { loss: 1 })).toThrow(
      /tfevents.*expected an event file that can be written; got it has/,
    );
    const file = join(folder, "no folder");
    writeFileSync(file, "");
    expect(() => new EventFile(file, 0)).toThrow(/no folder.*expected an event file that can be written/);
  });

  it.skipIf(skipWithoutTensorBoard())(
    "is read by TensorBoard, which drops the steps that a resumed run makes again",
    async () => {
      const run = join(folder, "run");
      const picture = await sharp({ create: { width: 6, height: 4, channels: 3, background: "red" } })
        .png()
        .toBuffer();
      {
        using first = new EventFile(run, 0, () => 1_700_000_000_000);
        for (let step = 1; step <= 9; step++) first.scalars(step, { loss: 10 - step });
      }
      {
        using second = new EventFile(run, 6, () => 1_700_000_100_000);
        for (let step = 6; step <= 8; step++) second.scalars(step, { loss: 20 - step });
        second.picture(8, "reconstruction", { bytes: picture, width: 6, height: 4 });
      }
      expect(readdirSync(run)).toHaveLength(2);
      const read = readEvents(run);
      expect(read.scalars.loss).toEqual([
        [1, 9],
        [2, 8],
        [3, 7],
        [4, 6],
        [5, 5],
        [6, 14],
        [7, 13],
        [8, 12],
      ]); // prettier-ignore
      expect(read.images.reconstruction).toEqual([[8, 6, 4, picture.length]]);
    },
  );
});
