// What torch.save has written since PyTorch 1.6: a zip file of stored entries in one folder,
//   <folder>/data.pkl    the saved object; a storage is named in it by a key
//   <folder>/data/<key>  the bytes of that storage
//   <folder>/byteorder   "little" or "big"; absent in older files, which are little-endian
// beside a few entries that say nothing about tensors. The folder is `archive` or the name of the file.

import { DamagedFileError } from "../damaged-file.js";
import type { FileBytes } from "../file-bytes.js";
import { PickleBytes } from "./pickle-bytes.js";
import { storageOf } from "./pickle-calls.js";
import { pickleLimits, readPickle } from "./pickle-machine.js";
import type { PickledStorage } from "./pickle-values.js";
import type { PytorchObject } from "./pytorch-file.js";
import { checkSum, PytorchStorages, type StorageRange } from "./pytorch-storages.js";
import { checkStored, readZipEntries, type ZipEntry } from "./zip-entries.js";

/** Reads the object of a zip file and finds its storages. */
export async function readPytorchZip(file: FileBytes): Promise<PytorchObject> {
  const entries = await readZipEntries(file);
  const folder = findFolder(file.path, [...entries.keys()]);
  checkStored(file.path, entries.values());
  checkByteOrder(file, entries.get(`${folder}/byteorder`));
  const pickle = entries.get(`${folder}/data.pkl`) as ZipEntry;
  if (pickle.byteLength > pickleLimits.bytes) {
    throw refuse(`${file.path}: data.pkl`, `at most ${pickleLimits.bytes} bytes`, `${pickle.byteLength}`);
  }
  checkSum(file, "data.pkl", pickle);
  const needed = new Map<string, PickledStorage>();
  const bytes = new PickleBytes(file, pickle.begin, pickle.begin + pickle.byteLength);
  const root = readPickle(file.path, bytes, (identifier) => {
    const storage = storageOf(file.path, identifier);
    needed.set(`${storage.key} ${storage.storedBytes}`, storage);
    return storage;
  });
  const ranges = new Map<string, StorageRange>();
  for (const { key } of needed.values()) {
    const entry = entries.get(`${folder}/data/${key}`);
    if (entry) ranges.set(key, entry);
  }
  return { format: "pytorch-zip", root, storages: new PytorchStorages(file, ranges, needed.values()) };
}

/** The folder that the saved object lies in. */
function findFolder(path: string, names: readonly string[]): string {
  const folders = names.flatMap((name) => /^([^/]+)\/data\.pkl$/.exec(name)?.[1] ?? []);
  if (folders.length !== 1) {
    throw refuse(
      path,
      "a zip file written by torch.save, with one data.pkl",
      `${folders.length} of ${names.length} entries`,
    );
  }
  const script = names.find((name) => name.startsWith(`${folders[0]}/code/`) || name === `${folders[0]}/constants.pkl`);
  if (script === undefined) return folders[0];
  const hint = "load it in PyTorch with torch.jit.load, and save its state_dict() with torch.save";
  throw refuse(path, "weights", "a TorchScript program, which holds code", hint);
}

function checkByteOrder(file: FileBytes, entry: ZipEntry | undefined): void {
  if (entry === undefined) return;
  const bytes = new Uint8Array(Math.min(entry.byteLength, 16));
  file.read(bytes, entry.begin);
  const order = new TextDecoder().decode(bytes);
  if (order === "little") return;
  const hint = "save it again on a little-endian machine";
  throw refuse(`${file.path}: byteorder`, "little-endian numbers", JSON.stringify(order), hint);
}

function refuse(op: string, expected: string, got: string, hint?: string): DamagedFileError {
  return new DamagedFileError({ op, expected, got, hint: hint ?? "give a file written by torch.save" });
}
