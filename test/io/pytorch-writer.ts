// Small files as torch.save writes them, made here so that tests need no PyTorch: a pickle of protocol 2 with storages by
// persistent identifiers, in a zip file of stored entries or in the format before that.

import { crc32 } from "node:zlib";

/** A view of a storage, in elements. */
export interface WrittenTensor {
  readonly key: string;
  /** e.g. `FloatStorage` */
  readonly storage: string;
  /** Elements of the whole storage. */
  readonly elements: number;
  readonly offset?: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

/** Pieces of pickle code by hand. */
export class Raw {
  constructor(readonly code: Buffer) {}
}

const text = (value: string): Buffer => {
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes.byteLength);
  return Buffer.concat([Buffer.from("X"), length, bytes]);
};

const integer = (value: number): Buffer => {
  const code = Buffer.alloc(5);
  code.write("J");
  code.writeInt32LE(value, 1);
  return code;
};

/** `c<module>\n<name>\n` */
export const global = (module: string, name: string): Buffer => Buffer.from(`c${module}\n${name}\n`);

const tuple = (...items: readonly Buffer[]): Buffer => Buffer.concat([Buffer.from("("), ...items, Buffer.from("t")]);

/** The code that pushes a value: null, booleans, integers, floats, text, arrays as lists, maps, tensors, raw code. */
export function pushed(value: unknown): Buffer {
  if (value instanceof Raw) return value.code;
  if (value === null) return Buffer.from("N");
  if (typeof value === "boolean") return Buffer.from([value ? 0x88 : 0x89]);
  if (typeof value === "string") return text(value);
  if (typeof value === "number" && Number.isInteger(value)) return integer(value);
  if (typeof value === "number") {
    const code = Buffer.alloc(9);
    code.write("G");
    code.writeDoubleBE(value, 1);
    return code;
  }
  if (Array.isArray(value)) return Buffer.concat([Buffer.from("]("), ...value.map(pushed), Buffer.from("e")]);
  if (value instanceof Map) {
    return Buffer.concat([Buffer.from("}("), ...[...value].flat().map(pushed), Buffer.from("u")]);
  }
  return pushedTensor(value as WrittenTensor);
}

function pushedTensor({ key, storage, elements, offset = 0, shape, strides }: WrittenTensor): Buffer {
  const identifier = tuple(text("storage"), global("torch", storage), text(key), text("cpu"), integer(elements));
  const sizes = (list: readonly number[]) => tuple(...list.map(integer));
  const hooks = Buffer.concat([global("collections", "OrderedDict"), Buffer.from(")R")]);
  const parameters = [Buffer.concat([identifier, Buffer.from("Q")]), integer(offset), sizes(shape), sizes(strides)];
  return Buffer.concat([
    global("torch._utils", "_rebuild_tensor_v2"),
    tuple(...parameters, Buffer.from([0x89]), hooks),
    Buffer.from("R"),
  ]);
}

/** A whole pickle of a value. */
export function pickle(value: unknown): Buffer {
  return Buffer.concat([Buffer.from([0x80, 2]), pushed(value), Buffer.from(".")]);
}

/** A zip file of stored entries, in order. */
export function zip(entries: Readonly<Record<string, Uint8Array>>, { checksums = true, method = 0 } = {}): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const [name, bytes] of Object.entries(entries)) {
    const header = Buffer.alloc(26);
    header.writeUInt16LE(20, 0);
    header.writeUInt16LE(method, 4);
    header.writeUInt32LE(checksums ? crc32(bytes) : 0, 10);
    header.writeUInt32LE(bytes.byteLength, 14);
    header.writeUInt32LE(bytes.byteLength, 18);
    header.writeUInt16LE(name.length, 22);
    const [local, central] = [Buffer.from("PK\x03\x04"), Buffer.from("PK\x01\x02\x14\x00")];
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE(at, 10);
    directory.push(central, header, rest, Buffer.from(name));
    parts.push(local, header, Buffer.from(name), Buffer.from(bytes));
    at += 30 + name.length + bytes.byteLength;
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06");
  const count = Object.keys(entries).length;
  end.writeUInt16LE(count, 8);
  end.writeUInt16LE(count, 10);
  end.writeUInt32LE(central.byteLength, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...parts, central, end]);
}

/** What torch.save writes today. */
export function pytorchZip(
  root: unknown,
  storages: Readonly<Record<string, Uint8Array>>,
  options: {
    folder?: string;
    byteorder?: string;
    checksums?: boolean;
    method?: number;
    more?: Record<string, Buffer>;
  } = {},
): Buffer {
  const { folder = "archive", byteorder, more = {}, ...rest } = options;
  const entries: Record<string, Uint8Array> = { [`${folder}/data.pkl`]: pickle(root) };
  if (byteorder !== undefined) entries[`${folder}/byteorder`] = Buffer.from(byteorder);
  for (const [key, bytes] of Object.entries(storages)) entries[`${folder}/data/${key}`] = bytes;
  for (const [name, bytes] of Object.entries(more)) entries[`${folder}/${name}`] = bytes;
  entries[`${folder}/version`] = Buffer.from("3\n");
  return zip(entries, rest);
}

/** What torch.save wrote before PyTorch 1.6; a storage is its element count and bytes. */
export function pytorchLegacy(
  root: unknown,
  storages: Readonly<Record<string, { elements: number; bytes: Uint8Array }>>,
  { little = true, after = new Uint8Array() }: { little?: boolean; after?: Uint8Array } = {},
): Buffer {
  const magic = Buffer.from("8a0a6cfc9c46f9206aa85019", "hex");
  const machine = new Map<string, unknown>([
    ["protocol_version", 1001],
    ["little_endian", little],
  ]);
  const parts = [pickle(new Raw(magic)), pickle(1001), pickle(machine), pickle(root), pickle(Object.keys(storages))];
  for (const { elements, bytes } of Object.values(storages)) {
    const count = Buffer.alloc(8);
    count.writeBigUInt64LE(BigInt(elements));
    parts.push(count, Buffer.from(bytes));
  }
  return Buffer.concat([...parts, after]);
}

/** The bytes of numbers as f32. */
export const f32 = (...values: readonly number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);

/** A whole storage of f32 as a tensor. */
export function f32Tensor(key: string, shape: readonly number[]): WrittenTensor {
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((count, side) => count * side, 1));
  const elements = shape.reduce((count, side) => count * side, 1);
  return { key, storage: "FloatStorage", elements, shape, strides };
}
