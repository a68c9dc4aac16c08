// The files of the kernel that describe a machine: /proc, /sys, /dev. Any of them may be missing, unreadable or odd, so
// every read may give nothing. The root can be another folder, in which tests put together machines of their own.

import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";

export class MachineFiles {
  readonly #root: string;

  constructor(root = "/") {
    this.#root = root;
  }

  /** The text of a file without the white space around it; undefined when it cannot be read. */
  text(path: string): string | undefined {
    try {
      return readFileSync(join(this.#root, path), "utf8").trim();
    } catch {
      return undefined;
    }
  }

  /** A number that a file holds; undefined for anything else, such as "max". */
  number(path: string): number | undefined {
    const text = this.text(path);
    return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
  }

  /** The value of a line `name: value` or `name : value`, its first one. */
  field(path: string, name: string): string | undefined {
    const line = this.text(path)
      ?.split("\n")
      .find((l) => l.slice(0, Math.max(0, l.indexOf(":"))).trim() === name);
    return line?.slice(line.indexOf(":") + 1).trim();
  }

  /** The names in a folder; none when it cannot be read. */
  names(path: string): string[] {
    try {
      return readdirSync(join(this.#root, path)).sort();
    } catch {
      return [];
    }
  }

  /** What a link points to. */
  link(path: string): string | undefined {
    try {
      return readlinkSync(join(this.#root, path));
    } catch {
      return undefined;
    }
  }
}
