// One of TensorBoard's event files, read while it is written: the records that event-file.ts writes. A record counts when
// both its checksums agree. One that does not agree may still be on its way, as over a network; so it is looked at again
// when the file has grown, and nothing behind it is read before.

import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { type EncodedPicture, maskedChecksum } from "./event-file.js";
import { FileFollower } from "./file-follower.js";

/** One record. */
export interface EventRecord {
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly step: number;
  /** Whether a run begins or goes on here: older files' steps from this one on are outdated. */
  readonly start: boolean;
  readonly scalars: ReadonlyMap<string, number>;
  readonly pictures: ReadonlyMap<string, EncodedPicture>;
}

export interface EventReader {
  /** The file was cut or replaced: all its records come again. */
  onRestart(): void;
  onRecord(record: EventRecord): void;
  onChunk?(): void;
}

/** Length and its checksum before a record, and the checksum after it, in bytes. */
const BEFORE = 12;
const AFTER = 4;
/** No record is larger, in bytes. */
const LARGEST = 2 ** 28;
/** SessionLog.START */
const START = 1;

export class EventFollower {
  readonly #file: FileFollower;
  readonly #reader: EventReader;
  #damaged = false;

  constructor(path: string, reader: EventReader) {
    this.#reader = reader;
    this.#file = new FileFollower(path, {
      onRestart: () => reader.onRestart(),
      onBytes: (bytes) => this.#take(bytes),
      onChunk: () => reader.onChunk?.(),
    });
  }

  /** Where the record begins that cannot be read; undefined where there is none. In bytes. */
  get damagedAt(): number | undefined {
    return this.#damaged ? this.#file.taken : undefined;
  }

  /** Reads the records that are new; whether there is such a file. */
  poll(): Promise<boolean> {
    return this.#file.poll();
  }

  #take(bytes: Buffer): number {
    let at = 0;
    this.#damaged = false;
    while (bytes.length - at >= BEFORE) {
      const length = Number(bytes.readBigUInt64LE(at));
      this.#damaged = bytes.readUInt32LE(at + 8) !== maskedChecksum(bytes.subarray(at, at + 8)) || length > LARGEST;
      const end = at + BEFORE + length;
      if (this.#damaged || end + AFTER > bytes.length) return at;
      const record = bytes.subarray(at + BEFORE, end);
      this.#damaged = bytes.readUInt32LE(end) !== maskedChecksum(record);
      const event = this.#damaged ? undefined : decoded(record);
      if (event === undefined) {
        this.#damaged = true;
        return at;
      }
      this.#reader.onRecord(event);
      at = end + AFTER;
    }
    return at;
  }
}

/** The fields of a message by number, in order; undefined where it is none. */
type Fields = (field: number, reader: BinaryReader, wire: WireType) => void;

function readFields(bytes: Uint8Array, take: Fields): void {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, wire] = reader.tag();
    const before = reader.pos;
    take(field, reader, wire);
    if (reader.pos === before) reader.skip(wire, field);
  }
}

/** An Event message; undefined where the bytes are none. */
function decoded(bytes: Uint8Array): EventRecord | undefined {
  let [time, step, start] = [0, 0, false];
  const scalars = new Map<string, number>();
  const pictures = new Map<string, EncodedPicture>();
  try {
    readFields(bytes, (field, reader, wire) => {
      if (field === 1 && wire === WireType.Bit64) time = 1000 * reader.double();
      else if (field === 2 && wire === WireType.Varint) step = Number(reader.int64());
      else if (field === 5 && wire === WireType.LengthDelimited) {
        readFields(reader.bytes(), (field, reader, wire) => {
          if (field === 1 && wire === WireType.LengthDelimited) readValue(reader.bytes(), scalars, pictures);
        });
      } else if (field === 7 && wire === WireType.LengthDelimited) {
        readFields(reader.bytes(), (field, reader, wire) => {
          if (field === 1 && wire === WireType.Varint) start = reader.int32() === START;
        });
      }
    });
  } catch {
    return undefined; // it ends within a field
  }
  return { time, step, start, scalars, pictures };
}

/** One named number or picture of a summary. */
function readValue(bytes: Uint8Array, scalars: Map<string, number>, pictures: Map<string, EncodedPicture>): void {
  let name = "";
  let number: number | undefined;
  let picture: EncodedPicture | undefined;
  readFields(bytes, (field, reader, wire) => {
    if (field === 1 && wire === WireType.LengthDelimited) name = reader.string();
    else if (field === 2 && wire === WireType.Bit32) number = reader.float();
    else if (field === 4 && wire === WireType.LengthDelimited) picture = readPicture(reader.bytes());
  });
  if (number !== undefined) scalars.set(name, number);
  if (picture !== undefined) pictures.set(name, picture);
}

function readPicture(message: Uint8Array): EncodedPicture {
  let [height, width, bytes] = [0, 0, new Uint8Array()];
  readFields(message, (field, reader, wire) => {
    if (field === 1 && wire === WireType.Varint) height = reader.int32();
    else if (field === 2 && wire === WireType.Varint) width = reader.int32();
    else if (field === 4 && wire === WireType.LengthDelimited) bytes = Uint8Array.from(reader.bytes());
  });
  return { bytes, width, height };
}
