// Whether two lines of lists mean the same recording, so that none is learnt from that is tested on.
//
//   path     the same file, links followed
//   youtube  files of Kinetics' names, <11 characters>_<from>_<until>: the same 11 characters, whatever the stretch
//   name     the same file name without its ending
//   content  the same bytes

import { closeSync, openSync, readSync, realpathSync, statSync } from "node:fs";
import { basename, extname } from "node:path";
import { cryptography } from "../library.js";
import { type Source, sourcePath } from "./source.js";

/** Ways to tell recordings apart. */
export const identities = ["path", "youtube", "name", "content"] as const;
/**
 * What makes two lines one recording: the same file, Kinetics' file name with the same eleven characters, the same file
 * name, or the same bytes.
 */
export type Identity = (typeof identities)[number];

const YOUTUBE = /^([\w-]{11})_\d{6}_\d{6}$/;
const CHUNK = 1 << 20;

/** What a recording is known by: two with a key in common are the same. A missing file has no content, but a name. */
export function identityKeys(source: Source, by: readonly Identity[]): string[] {
  const path = sourcePath(source);
  return by.flatMap((kind) => {
    const key = keyOf[kind](path);
    return key === undefined ? [] : [`${kind}:${key}`];
  });
}

const keyOf: Record<Identity, (path: string) => string | undefined> = {
  path: (path) => {
    try {
      return realpathSync(path);
    } catch {
      return path;
    }
  },
  youtube: (path) => YOUTUBE.exec(stem(path))?.[1],
  name: stem,
  content: (path) => (statSync(path, { throwIfNoEntry: false })?.isFile() ? hashOf(path) : undefined),
};

function stem(path: string): string {
  return basename(path, extname(path));
}

/** SHA-256 of a file, read in pieces. */
function hashOf(path: string): string {
  const hash = cryptography().createHash("sha256");
  const piece = Buffer.allocUnsafe(CHUNK);
  const file = openSync(path, "r");
  try {
    for (let read = readSync(file, piece); read > 0; read = readSync(file, piece)) hash.update(piece.subarray(0, read));
  } finally {
    closeSync(file);
  }
  return hash.digest("hex");
}
