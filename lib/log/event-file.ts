// TensorBoard's event files: records of Event messages, each with its length and two checksums around it. Only what
// scalars and pictures need of the messages is written (tensorflow/core/util/event.proto, framework/summary.proto).
//
// A file is only appended to. A run that resumes opens another one, whose first record says from which step on what older
// files hold does not count.

import { closeSync, mkdirSync, openSync, rmSync, writeSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import type { BinaryWriter } from "@bufbuild/protobuf/wire";
import { VideomaeError } from "../errors.js";
import { library } from "../library.js";

const wire = library<typeof import("@bufbuild/protobuf/wire")>("@bufbuild/protobuf/wire");

/** How a field of a message is written. */
const WireType = { Varint: 0, Bit64: 1, LengthDelimited: 2, Bit32: 5 } as const;

/** A picture as it lies in a file. */
export interface EncodedPicture {
  /** PNG, or what else TensorBoard shows. */
  readonly bytes: Uint8Array;
  /** In pixels. */
  readonly width: number;
  readonly height: number;
}

/** Files that this thread has made: of one second and process, each has a name of its own. */
let opened = 0;

/** An open event file; every call writes one whole record. */
export class EventFile implements Disposable {
  readonly path: string;
  #file: number | undefined;

  /**
   * Makes a new file in a folder.
   * @param startStep  the first step that will be written: older files' steps from there on are outdated
   * @throws VideomaeError when the file system refuses
   */
  constructor(folder: string, startStep: number, now: () => number = Date.now) {
    const seconds = Math.floor(now() / 1000);
    this.path = join(folder, `events.out.tfevents.${seconds}.${hostname()}.${process.pid}.${opened++}.videomae`);
    this.#guard(() => {
      mkdirSync(folder, { recursive: true });
      this.#file = openSync(this.path, "a");
    });
    try {
      this.#begin(startStep, now());
    } catch (error) {
      this.close();
      rmSync(this.path, { force: true });
      throw error;
    }
  }

  #begin(startStep: number, time: number): void {
    this.#write(time, (event) => event.tag(3, WireType.LengthDelimited).string("brain.Event:2"));
    this.#write(time, (event) => {
      const start = message((session) => session.tag(1, WireType.Varint).int32(1)); // SessionLog.START
      return event.tag(2, WireType.Varint).int64(startStep).tag(7, WireType.LengthDelimited).bytes(start);
    });
  }

  /** Numbers of one step, by name. Those that are not finite are written as they are: the page shows them as gaps. */
  scalars(step: number, values: Readonly<Record<string, number>>, time = Date.now()): void {
    this.#summary(
      step,
      time,
      Object.entries(values).map(([name, value]) =>
        message((w) => w.tag(1, WireType.LengthDelimited).string(name).tag(2, WireType.Bit32).float(value)),
      ),
    );
  }

  /** A picture of one step. */
  picture(step: number, name: string, { bytes, width, height }: EncodedPicture, time = Date.now()): void {
    const image = message((w) =>
      w
        .tag(1, WireType.Varint)
        .int32(height)
        .tag(2, WireType.Varint)
        .int32(width)
        .tag(3, WireType.Varint)
        .int32(3) // red, green, blue
        .tag(4, WireType.LengthDelimited)
        .bytes(bytes),
    );
    this.#summary(step, time, [
      message((w) => w.tag(1, WireType.LengthDelimited).string(name).tag(4, WireType.LengthDelimited).bytes(image)),
    ]);
  }

  /** A second call does nothing. */
  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  /** The same as `close()`. */
  [Symbol.dispose](): void {
    this.close();
  }

  #summary(step: number, time: number, values: readonly Uint8Array[]): void {
    const summary = message((w) => {
      for (const value of values) w.tag(1, WireType.LengthDelimited).bytes(value);
      return w;
    });
    this.#write(time, (event) =>
      event.tag(2, WireType.Varint).int64(step).tag(5, WireType.LengthDelimited).bytes(summary),
    );
  }

  #write(time: number, fill: (event: BinaryWriter) => BinaryWriter): void {
    const record = framed(message((event) => fill(event.tag(1, WireType.Bit64).double(time / 1000))));
    this.#guard(() => {
      if (this.#file === undefined) throw new Error("it has been closed");
      for (let at = 0; at < record.byteLength; ) at += writeSync(this.#file, record, at);
    });
  }

  #guard(body: () => void): void {
    try {
      body();
    } catch (cause) {
      const got = (cause as Error).message;
      throw new VideomaeError({ op: this.path, expected: "an event file that can be written", got, cause });
    }
  }
}

function message(fill: (writer: BinaryWriter) => BinaryWriter): Uint8Array {
  return fill(new (wire().BinaryWriter)()).finish();
}

/** Length (8 bytes), its checksum, the record, its checksum; all little-endian. */
function framed(record: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(8 + 4 + record.length + 4);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(record.length), true);
  view.setUint32(8, maskedChecksum(bytes.subarray(0, 8)), true);
  bytes.set(record, 12);
  view.setUint32(12 + record.length, maskedChecksum(record), true);
  return bytes;
}

/** CRC-32C (Castagnoli), a byte at a time. */
const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let remainder = byte;
  for (let bit = 0; bit < 8; bit++) remainder = remainder & 1 ? (remainder >>> 1) ^ 0x82f63b78 : remainder >>> 1;
  return remainder;
});

/** The checksum as the files have it: rotated, and moved by a constant, so that sums of sums stay apart. */
export function maskedChecksum(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = table[(crc ^ byte) & 0xff] ^ (crc >>> 8);
  crc = ~crc >>> 0;
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}
