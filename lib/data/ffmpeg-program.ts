// Runs ffmpeg or ffprobe on a file: hands over what it writes as it comes, kills it when the limit is over, and takes
// what it says on standard error for damage (both go on after damage, and end with status 0).

import { VideomaeError } from "../errors.js";
import { childProcess } from "../library.js";
import type { TimeLimit } from "./time-limit.js";

const LIMIT_CHECK_MS = 50;
/** A damaged file may give a line of complaint for every block of every frame. */
const MOST_SAID = 2 ** 16;
const MOST_QUOTED = 200;
/** Where the part that complains lies in memory: a reason should read the same each time. */
const ADDRESS = / @ 0x[0-9a-f]+/;

/**
 * Options of every reading: one thread; arithmetic that is the same in every version and on every processor (the inverse
 * transform of Xvid is not, otherwise); and nothing but the file itself, should it be a playlist.
 */
export const INPUT_OPTIONS = ["-threads", "1", "-flags", "+bitexact", "-protocol_whitelist", "file"];

/** The address of a file: without the protocol a path with a colon in it would be taken for one of another kind. */
export function fileUrl(path: string): string {
  return `file:${path}`;
}

/**
 * @param onOutput  gets what the program writes, in pieces; an error thrown by it ends the program
 * @throws VideomaeError that names the file when the program fails or complains, or the limit is over; another error
 * when the program does not start or is killed: that is the machine's fault, and the file's frames are not to be replaced
 */
export function runProgram(
  path: string,
  program: "ffmpeg" | "ffprobe",
  args: readonly string[],
  onOutput: (chunk: Buffer) => void,
  limit: TimeLimit,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = childProcess().spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
    let said = "";
    let failure: unknown;
    const end = (error: unknown) => {
      failure ??= error;
      child.kill("SIGKILL");
    };
    const attempt = (work: () => void) => {
      try {
        work();
      } catch (error) {
        end(error);
      }
    };
    const watch = setInterval(() => attempt(() => limit.check(path)), LIMIT_CHECK_MS);
    child.on("error", (error) => {
      clearInterval(watch);
      reject(error);
    });
    if (child.stdout === undefined) return; // no pipe to be had: an error follows
    child.stdout.on("data", (chunk: Buffer) => {
      if (failure === undefined) attempt(() => onOutput(chunk));
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      if (said.length < MOST_SAID) said += text;
    });
    child.on("close", (status, signal) => {
      clearInterval(watch);
      if (failure === undefined && signal === "SIGKILL") failure = new Error(`${program} was killed`);
      const complaint = said.split("\n").find(isDamage)?.replace(ADDRESS, "").slice(0, MOST_QUOTED);
      if (failure !== undefined) reject(failure);
      else if (status === 0 && complaint === undefined) resolve();
      else {
        const got = complaint ?? `${program} ended by ${signal ?? status}`;
        reject(new VideomaeError({ op: path, expected: "a whole, healthy video", got }));
      }
    });
  });
}

function isDamage(line: string): boolean {
  return line.trim() !== "" && !/non.?monoton|deprecated|Application provided/i.test(line);
}
