// The entries of a zip file, as places in it. yauzl reads the container (zip64, names, sizes); what is added here is what
// a file of tensors needs: entries lie apart from each other, have names that occur once, and are stored as they are. So
// each is a range of the file that can be read at any time, and together they are no longer than the file: nothing is
// unpacked, so there is no bomb.

import type { RandomAccessReader } from "yauzl";
import { VideomaeError } from "../../errors.js";
import { DamagedFileError } from "../damaged-file.js";
import type { FileBytes } from "../file-bytes.js";

/** A stored entry. */
export interface ZipEntry {
  readonly name: string;
  /** Of its first byte in the file. */
  readonly begin: number;
  readonly byteLength: number;
  /** Checksum as recorded; 0 where the writer computed none. */
  readonly crc32: number;
  /** How its bytes are packed: 0, as they are. */
  readonly method: number;
}

const MAX_ENTRIES = 100_000;

/**
 * The entries of a zip file by name.
 * @throws DamagedFileError when it is no zip file, is damaged, or has entries that are encrypted or overlap
 */
export async function readZipEntries(file: FileBytes): Promise<ReadonlyMap<string, ZipEntry>> {
  const entries = new Map<string, ZipEntry>();
  for (const entry of await listEntries(file)) {
    if (entries.has(entry.name)) throw badZip(`${file.path}: ${entry.name}`, "a name that occurs once", "it twice");
    entries.set(entry.name, entry);
  }
  checkApart(file.path, entries.values());
  return entries;
}

function checkApart(path: string, entries: Iterable<ZipEntry>): void {
  let end = 0;
  for (const { name, begin, byteLength } of [...entries].sort((a, b) => a.begin - b.begin)) {
    if (begin < end) throw badZip(`${path}: ${name}`, `data from byte ${end} on`, `an overlap at ${begin}`);
    end = begin + byteLength;
  }
}

/** @throws DamagedFileError for an entry whose bytes in the file are not its own */
export function checkStored(path: string, entries: Iterable<ZipEntry>): void {
  for (const { name, method } of entries) {
    if (method === 0) continue;
    throw new DamagedFileError({
      op: `${path}: ${name}`,
      expected: "an entry stored as it is, as PyTorch writes them",
      got: `one compressed by method ${method}`,
      hint: "the file was packed again: write it with torch.save, or with zip -0",
    });
  }
}

async function listEntries(file: FileBytes): Promise<ZipEntry[]> {
  const list: ZipEntry[] = [];
  try {
    const yauzl = await import("yauzl");
    const reader = readerOf(file, yauzl.RandomAccessReader);
    const zip = await yauzl.fromRandomAccessReaderPromise(reader, file.size, { strictFileNames: true });
    for await (const entry of zip.eachEntry()) {
      if (list.length >= MAX_ENTRIES) throw badZip(file.path, `at most ${MAX_ENTRIES} entries`, "more");
      if (entry.isEncrypted()) throw badZip(`${file.path}: ${entry.fileName}`, "an entry in plain", "an encrypted one");
      const { fileDataStart: begin } = await zip.readLocalFileHeaderPromise(entry, { minimal: true });
      const { fileName: name, compressedSize: byteLength, crc32, compressionMethod: method } = entry;
      list.push({ name, begin, byteLength, crc32, method });
    }
    return list;
  } catch (cause) {
    if (cause instanceof VideomaeError) throw cause;
    throw badZip(file.path, "a whole zip file", (cause as Error).message, cause);
  }
}

/** Gives yauzl the bytes of an open file; its own reader lets positions past 2^53 end the process. */
function readerOf(file: FileBytes, Reader: typeof RandomAccessReader): RandomAccessReader {
  class FileReader extends Reader {
    override read(
      buffer: Buffer,
      offset: number,
      length: number,
      position: number,
      callback: (error: Error | null) => void,
    ): void {
      let failure: Error | null = null;
      try {
        file.read(buffer.subarray(offset, offset + length), position);
      } catch (error) {
        failure = error as Error;
      }
      callback(failure);
    }
  }
  return new FileReader();
}

function badZip(op: string, expected: string, got: string, cause?: unknown): DamagedFileError {
  const hint = "the file is damaged or cut short: download or write it again";
  return new DamagedFileError({ op, expected, got, hint, cause });
}
