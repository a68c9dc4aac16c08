// Sources of clips: a folder that is searched for videos, a list file (see list-line.ts for its lines), or one video.
// The order is that of the list, or of the paths' bytes: the same on every machine, as runs are keyed by it.

import { type Dirent, existsSync, readdirSync, readFileSync, realpathSync, type Stats, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { VideomaeError } from "../errors.js";
import { hasVideoExtension, type PictureFields, parseLine } from "./list-line.js";
import { type Source, sourcePath } from "./source.js";

/** How a list is read. */
export interface SourceOptions {
  /** Folder that relative paths of a list start from; default: the list's own. */
  readonly root?: string;
  /** File name of picture number i in a folder of pictures, default `img_{:05}.jpg`. */
  readonly framesTemplate?: string;
  /**
   * What two numbers after a folder of pictures are: `start-total` (default, the form of pre-training lists) or
   * `total-label` (that of classification lists, where pictures begin at `startIndex`).
   */
  readonly pictures?: PictureFields;
  /** Number of the first picture of a `total-label` line, default 1. */
  readonly startIndex?: number;
}

const DEFAULT_TEMPLATE = "img_{:05}.jpg";
const PROBED = 16;

/**
 * Reads the sources that `path` names.
 * @throws VideomaeError for a missing path, a line that cannot be read (`list.csv:12`), or when there is nothing there
 */
export function readSources(path: string, options: SourceOptions = {}): Source[] {
  const stat = statusOf(path);
  if (stat.isDirectory()) return searchFolder(path);
  if (hasVideoExtension(path)) return [{ kind: "video", path: resolve(path), where: path }];
  if (stat.isFile()) return readList(path, options);
  throw new VideomaeError({ op: path, expected: "a folder of videos or a list file", got: "something not a file" });
}

/** The text of a small file that the user names. @throws VideomaeError when it cannot be read */
export function readText(path: string): string {
  try {
    return readFileSync(path, "utf8").replace(/^\uFEFF/, "");
  } catch (cause) {
    throw new VideomaeError({ op: path, expected: "a file that can be read", got: reasonOf(cause), cause });
  }
}

function searchFolder(folder: string): Source[] {
  const found: string[] = [];
  const visited = new Set<string>();
  let pictures = 0;
  const search = (current: string): void => {
    for (const entry of entriesOf(current, visited)) {
      if (entry.name.startsWith(".")) continue;
      const path = join(current, entry.name);
      const kind = entry.isSymbolicLink() ? followed(path) : entry;
      if (kind?.isDirectory()) search(path);
      else if (kind?.isFile() && hasVideoExtension(entry.name)) found.push(path);
      else if (/\.(jpe?g|png)$/i.test(entry.name)) pictures++;
    }
  };
  search(resolve(folder));
  if (found.length === 0) {
    throw new VideomaeError({
      op: folder,
      expected: "videos in this folder",
      got: pictures > 0 ? `none, but ${pictures} pictures` : "none",
      hint: pictures > 0 ? 'name folders of pictures in a list file, "folder start total" a line' : undefined,
    });
  }
  const bytes = new Map(found.map((path) => [path, Buffer.from(path)]));
  found.sort((a, b) => Buffer.compare(bytes.get(a)!, bytes.get(b)!));
  return found.map((path) => ({ kind: "video", path, where: path }));
}

/** What a folder holds; nothing when it was visited before. */
function entriesOf(folder: string, visited: Set<string>): Dirent[] {
  try {
    const real = realpathSync(folder);
    if (visited.has(real)) return [];
    visited.add(real);
    return readdirSync(folder, { withFileTypes: true });
  } catch (cause) {
    throw new VideomaeError({ op: folder, expected: "a folder that can be read", got: reasonOf(cause), cause });
  }
}

/** What a link leads to; undefined when that is nothing. */
function followed(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

function readList(list: string, options: SourceOptions): Source[] {
  const { root, framesTemplate = DEFAULT_TEMPLATE, pictures, startIndex } = options;
  checkTemplate(framesTemplate);
  if (startIndex !== undefined && !(Number.isSafeInteger(startIndex) && startIndex >= 0)) {
    throw new VideomaeError({ op: "startIndex", expected: "an integer of at least 0", got: `${startIndex}` });
  }
  const base = resolve(root ?? dirname(list));
  const lineOptions = {
    template: framesTemplate,
    pictures,
    startIndex,
    resolvePath: (path: string) => resolve(base, path),
  };
  const sources: Source[] = [];
  for (const [i, raw] of readText(list)
    .split(/\r\n|\n|\r/)
    .entries()) {
    const line = raw.trim();
    if (line === "" || line.startsWith("#")) continue;
    sources.push(parseLine(line, `${list}:${i + 1}`, lineOptions));
  }
  if (sources.length === 0) throw new VideomaeError({ op: list, expected: "at least one clip", got: "an empty list" });
  // One missing file is for the loader to report; when none of the first few is there, the folder is the wrong one.
  if (!sources.slice(0, PROBED).some((source) => existsSync(sourcePath(source)))) {
    throw new VideomaeError({
      op: sources[0].where,
      expected: "a path that exists",
      got: sourcePath(sources[0]),
      hint: `relative paths start from ${base}; ${root === undefined ? "give root (--root)" : "is root (--root) right?"}`,
    });
  }
  return sources;
}

/** The file name of a picture: the one field of the template, `{}`, `{:5}` or `{:05}`, replaced by its number. */
export function pictureName(template: string, number: number): string {
  return template.replace(/\{(?::(0?)(\d*)d?)?\}/, (_, zero, width) =>
    `${number}`.padStart(Number(width || 0), zero ? "0" : " "),
  );
}

function checkTemplate(template: string): void {
  if (/^[^{}\0]*\{(:0?\d{0,2}d?)?\}[^{}\0]*$/.test(template)) return;
  throw new VideomaeError({ op: "framesTemplate", expected: `one field, as in ${DEFAULT_TEMPLATE}`, got: template });
}

function statusOf(path: string): Stats {
  try {
    return statSync(path);
  } catch (cause) {
    throw new VideomaeError({ op: path, expected: "a folder of videos or a list file", got: reasonOf(cause), cause });
  }
}

function reasonOf(cause: unknown): string {
  const { code, message } = cause as NodeJS.ErrnoException;
  return code === "ENOENT" ? "nothing there" : message.split(",")[0]; // without the call and its path
}
