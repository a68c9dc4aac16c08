// The entries of a zip file, as places in it. yauzl reads the container (zip64, names, sizes); what is added here is what
// a file of tensors needs: entries are stored as they are, lie apart from each other, and have names that occur once. So
// each is a range of the file that can be read at any time, and together they are no longer than the file: there is
// nothing to unpack, and no bomb.

import { type Entry, fromRandomAccessReaderPromise, RandomAccessReader } from "yauzl";
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
}

const MAX_ENTRIES = 100_000;

/**
 * The entries of a zip file by name.
 * @throws DamagedFileError when it is no zip file, is damaged, or has entries that are compressed, encrypted or overlap
 */
export async function readZipEntries(file: FileBytes): Promise<ReadonlyMap<string, ZipEntry>> {
  const entries = new Map<string, ZipEntry>();
  for (const entry of await listEntries(file)) {
    if (entries.has(entry.name)) throw badZip(`${file.path}: ${entry.name}`, "a name that occurs once", "it twice");
    entries.set(entry.name, entry);
  }
  let end = 0;
  for (const { name, begin, byteLength } of [...entries.values()].sort((a, b) => a.begin - b.begin)) {
    if (begin < end) throw badZip(`${file.path}: ${name}`, `data from byte ${end} on`, `an overlap at ${begin}`);
    end = begin + byteLength;
  }
  return entries;
}

async function listEntries(file: FileBytes): Promise<ZipEntry[]> {
  const list: ZipEntry[] = [];
  try {
    const zip = await fromRandomAccessReaderPromise(new FileReader(file), file.size, { strictFileNames: true });
    for await (const entry of zip.eachEntry()) {
      if (list.length >= MAX_ENTRIES) throw badZip(file.path, `at most ${MAX_ENTRIES} entries`, "more");
      checkStored(file.path, entry);
      const { fileDataStart: begin } = await zip.readLocalFileHeaderPromise(entry, { minimal: true });
      list.push({ name: entry.fileName, begin, byteLength: entry.compressedSize, crc32: entry.crc32 });
    }
    return list;
  } catch (cause) {
    if (cause instanceof VideomaeError) throw cause;
    throw badZip(file.path, "a whole zip file", (cause as Error).message, cause);
  }
}

function checkStored(path: string, entry: Entry): void {
  const op = `${path}: ${entry.fileName}`;
  if (entry.isEncrypted()) throw badZip(op, "an entry in plain", "an encrypted one");
  if (entry.compressionMethod === 0) return;
  throw new DamagedFileError({
    op,
    expected: "an entry stored as it is, as PyTorch writes them",
    got: `one compressed by method ${entry.compressionMethod}`,
    hint: "the file was packed again: write it with torch.save, or with zip -0",
  });
}

/** Gives yauzl the bytes of an open file; its own reader lets positions past 2^53 end the process. */
class FileReader extends RandomAccessReader {
  readonly #file: FileBytes;

  constructor(file: FileBytes) {
    super();
    this.#file = file;
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null) => void,
  ): void {
    let failure: Error | null = null;
    try {
      this.#file.read(buffer.subarray(offset, offset + length), position);
    } catch (error) {
      failure = error as Error;
    }
    callback(failure);
  }
}

function badZip(op: string, expected: string, got: string, cause?: unknown): DamagedFileError {
  const hint = "the file is damaged or cut short: download or write it again";
  return new DamagedFileError({ op, expected, got, hint, cause });
}
