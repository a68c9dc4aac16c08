// What torch.save wrote before PyTorch 1.6, one after the other:
//   a pickle of a magic number, a pickle of the protocol 1001, a pickle of facts about the machine,
//   a pickle of the saved object, a pickle of the list of its storages' keys,
//   for each key the number of elements in 8 bytes, and the elements.

import { DamagedFileError } from "../damaged-file.js";
import type { FileBytes } from "../file-bytes.js";
import { dtypeWidth } from "../stored-dtype.js";
import { PickleBytes } from "./pickle-bytes.js";
import { storageOf } from "./pickle-calls.js";
import { readPickle } from "./pickle-machine.js";
import { type PickledStorage, type PickledValue, shown } from "./pickle-values.js";
import type { PytorchObject } from "./pytorch-file.js";
import { PytorchStorages, type StorageRange } from "./pytorch-storages.js";

const MAGIC = 0x1950a86a20f9469cfc6cn;
const PROTOCOL = 1001;

/** Whether the first bytes of a file are a pickle of the magic number. */
export function isLegacyPytorch(head: Uint8Array): boolean {
  const begin = Buffer.from(head.subarray(0, 32)).toString("hex");
  return /^80(02|03|04|05)(95.{16})?8a0a6cfc9c46f9206aa85019/.test(begin);
}

/** Reads the object of a legacy file and finds its storages. */
export function readPytorchLegacy(file: FileBytes): PytorchObject {
  const { path } = file;
  const bytes = new PickleBytes(file, 0, file.size);
  const plain = () =>
    readPickle(path, bytes, () => {
      throw damaged(path, "plain data", "a storage before the saved object");
    });
  const magic = plain();
  if (magic !== MAGIC) throw damaged(path, `the magic number ${MAGIC}`, shown(magic));
  const protocol = plain();
  if (protocol !== PROTOCOL) throw damaged(path, `protocol ${PROTOCOL}`, shown(protocol));
  checkMachine(path, plain());
  const needed = new Map<string, PickledStorage>();
  const root = readPickle(path, bytes, (identifier) => {
    const storage = storageOf(path, identifier);
    const other = needed.get(storage.key);
    if (other && (other.storedBytes !== storage.storedBytes || other.dtype !== storage.dtype)) {
      throw damaged(`${path}: storage "${storage.key}"`, "one length and dtype", "two");
    }
    needed.set(storage.key, storage);
    return storage;
  });
  const ranges = placeStorages(file, bytes, plain(), needed);
  return { format: "pytorch-legacy", root, storages: new PytorchStorages(file, ranges, needed.values()) };
}

function checkMachine(path: string, facts: PickledValue): void {
  const little = facts instanceof Map ? facts.get("little_endian") : undefined;
  if (little === true) return;
  const got = little === false ? "those of a big-endian machine" : "none that says so";
  throw damaged(path, "little-endian numbers", got, "save it again on a little-endian machine");
}

/** Walks over the storages, which must fill the rest of the file. */
function placeStorages(
  file: FileBytes,
  bytes: PickleBytes,
  keys: PickledValue,
  needed: ReadonlyMap<string, PickledStorage>,
): ReadonlyMap<string, StorageRange> {
  const { path } = file;
  if (!Array.isArray(keys)) throw damaged(path, "a list of storages", shown(keys));
  const ranges = new Map<string, StorageRange>();
  for (const key of keys) {
    const storage = typeof key === "string" ? needed.get(key) : undefined;
    if (storage === undefined || ranges.has(storage.key)) {
      throw damaged(path, "the key of each storage once", shown(key));
    }
    const width = storage.dtype === undefined ? 1 : (dtypeWidth(storage.dtype) as number);
    const byteLength = bytes.uint64() * width;
    ranges.set(storage.key, { begin: bytes.position, byteLength, crc32: 0 });
    bytes.skip(byteLength);
  }
  if (bytes.position === file.size) return ranges;
  const hint = "the file is damaged, or several objects were saved into it: save the weights by themselves";
  throw damaged(path, `${bytes.position} bytes`, `${file.size}: bytes that belong to no storage`, hint);
}

function damaged(op: string, expected: string, got: string, hint?: string): DamagedFileError {
  const again = "the file is damaged or was not written by torch.save: download or write it again";
  return new DamagedFileError({ op, expected, got, hint: hint ?? again });
}
