// Options in a YAML file. A file is data, whoever wrote it: its size, depth and aliases are bounded, tags and doubled keys
// are errors, and a mistake is told with line and column.

import { readFileSync, statSync } from "node:fs";
import type { Document, LineCounter, YAMLError } from "yaml";
import { VideomaeError } from "../errors.js";
import { library } from "../library.js";
import { type Mistake, pathText, shortened } from "./explain-issue.js";

const yaml = library<typeof import("yaml")>("yaml");

const MOST_BYTES = 64 * 1024;
const MOST_ALIASES = 100;
const MOST_INDENT = 80;
const MOST_BRACKETS = 32;

/** What a YAML text holds. */
export interface YamlOptions {
  readonly options: Record<string, unknown>;
  /** Throws a mistake in the options as a VideomaeError whose `op` is `where:line:column` and the key. */
  readonly refuse: (mistake: Mistake) => never;
}

/**
 * The text of a YAML file.
 * @param expected  what the file should be, for the message
 * @throws VideomaeError when it cannot be read, or is too large
 */
export function readYaml(path: string, expected: string): string {
  try {
    const { size } = statSync(path);
    if (size > MOST_BYTES) throw tooLarge(path, size);
    return readFileSync(path, "utf8");
  } catch (cause) {
    if (cause instanceof VideomaeError) throw cause;
    const { code } = cause as NodeJS.ErrnoException;
    const got = code === "ENOENT" ? "no such file" : code === "EISDIR" ? "a folder" : `${code}`;
    throw new VideomaeError({ op: path, expected, got, cause });
  }
}

/**
 * The options in a YAML text.
 * @param where  what messages call the text, e.g. its path
 * @throws VideomaeError whose `op` begins with `where` when it is no YAML, or no options
 */
export function parseYaml(text: string, where: string): YamlOptions {
  if (text.length > MOST_BYTES) throw tooLarge(where, text.length);
  const lines = new (yaml().LineCounter)();
  const document = parsed(text, where, lines);
  return {
    options: plainObject(document, where),
    refuse: ({ path, ...parts }) => {
      const at = lines.linePos(offsetOf(document, path));
      const key = parts.expected === "a known option" ? path.slice(0, -1) : path;
      const op = `${where}:${at.line}:${at.col}${key.length > 0 ? ` ${pathText(key)}` : ""}`;
      throw new VideomaeError({ op, ...parts });
    },
  };
}

function parsed(text: string, where: string, lineCounter: LineCounter): Document {
  if (isDeep(text)) {
    throw new VideomaeError({ op: where, expected: "options, at most a few levels deep", got: "very deep nesting" });
  }
  const document = guarded(where, () =>
    yaml().parseDocument(text, {
      ...{ lineCounter, prettyErrors: false, uniqueKeys: true, stringKeys: true },
      ...{ schema: "core", merge: false, version: "1.2" },
    }),
  );
  const mistake: YAMLError | undefined = document.errors[0] ?? document.warnings[0];
  if (mistake === undefined) return document as Document;
  const { line, col } = lineCounter.linePos(mistake.pos[0]);
  throw new VideomaeError({ op: `${where}:${line}:${col}`, expected: "YAML", got: shortened(mistake.message) });
}

function plainObject(document: Document, where: string): Record<string, unknown> {
  if (!yaml().isMap(document.contents)) {
    throw new VideomaeError({
      op: where,
      expected: 'options, one a line, as in "maskRatio: 0.9"',
      got: document.contents === null ? "nothing" : yaml().isSeq(document.contents) ? "a list" : "a single value",
    });
  }
  return guarded(where, () => document.toJS({ maxAliasCount: MOST_ALIASES }));
}

/** What the parser throws (too many aliases, a nesting that overflows the stack) as a message about the file. */
function guarded<T>(where: string, body: () => T): T {
  try {
    return body();
  } catch (cause) {
    throw new VideomaeError({ op: where, expected: "YAML", got: shortened((cause as Error).message), cause });
  }
}

/**
 * Whether the text may nest deeper than the parser's recursion can stand (it ends the process, not the parse). Every
 * level is a bracket left open, or stands further right than the one around it.
 */
function isDeep(text: string): boolean {
  let open = 0;
  for (const line of text.split(/\r\n?|\n/)) {
    if (/^[\s?:-]*/.exec(line)![0].length > MOST_INDENT) return true;
    for (const c of line) {
      if (c === "[" || c === "{") open++;
      else if ((c === "]" || c === "}") && open > 0) open--;
      if (open > MOST_BRACKETS) return true;
    }
  }
  return false;
}

/** Where in the text the key at the end of a path stands, or as much of the path as is written there. */
function offsetOf(document: Document, path: readonly PropertyKey[]): number {
  let [node, offset]: [unknown, number] = [document.contents, document.contents?.range?.[0] ?? 0];
  for (const part of path) {
    if (yaml().isMap(node)) {
      const pair = node.items.find(({ key }) => (key as { value?: unknown } | null)?.value === part);
      if (pair === undefined) return offset;
      offset = (pair.key as { range?: [number, number, number] }).range?.[0] ?? offset;
      node = pair.value;
    } else if (yaml().isSeq(node) && typeof part === "number") {
      node = node.items[part];
      offset = (node as { range?: [number, number, number] } | undefined)?.range?.[0] ?? offset;
    } else return offset;
  }
  return offset;
}

function tooLarge(where: string, bytes: number): VideomaeError {
  return new VideomaeError({ op: where, expected: `a file of at most ${MOST_BYTES} bytes`, got: `${bytes}` });
}
