// One line of a list of pre-training clips (spec 4.2), and the number fields it ends in:
//
//   path                     a video
//   path label               a video; pre-training ignores the label
//   path 0 -1                a video (total frames below 0), the official form
//   folder start total       numbered pictures
//   ... label                a fourth field, ignored
//
// Numbers are taken from the right, so a path may hold spaces; one that ends in " <number>" is put in double quotes.
// Pictures all have the list's file name template and the clip's stride: the reference changed both for folders whose
// path contains "SomethingV2" (stride 2) or "AVA2.2" (image_{:06}.jpg); here they are options.

import { VideomaeError } from "../errors.js";
import type { Source } from "./source.js";

/** File name endings of videos. */
export const VIDEO_EXTENSIONS =
  "3gp 264 265 asf avi flv gif h264 h265 hevc m2ts m2v m4v mjpeg mkv mov mp4 mpeg mpg mts mxf ogv ts vob webm wmv y4m".split(
    " ",
  );

const EXPECTED = '"path", "path label", "path 0 -1" or "folder start total"';
const AT_MOST = 3;

/** Whether a file name ends like a video's. */
export function hasVideoExtension(path: string): boolean {
  return VIDEO_EXTENSIONS.some((extension) => path.toLowerCase().endsWith(`.${extension}`));
}

/**
 * @param where  `list.csv:12`
 * @param resolvePath  makes a path of the list absolute
 */
export function parseLine(
  line: string,
  where: string,
  template: string,
  resolvePath: (path: string) => string,
): Source {
  const fail = (got: string, hint?: string): never => {
    throw new VideomaeError({ op: where, expected: EXPECTED, got, hint });
  };
  if (line.includes("\0")) fail("binary data", "name a list file or a folder");
  const { path, numbers, quoted } = split(line, fail);
  if (path === "") fail(`"${line}", without a path`);
  if (numbers.length > AT_MOST)
    fail(`${numbers.length} numbers in "${line}"`, "put a path with spaces in double quotes");
  if (numbers.length <= 1) {
    if (!quoted && !hasVideoExtension(path)) fail(`"${line}"`, hintFor(path));
    return { kind: "video", path: resolvePath(path), where };
  }
  const [start, total] = numbers;
  if (total < 0) return { kind: "video", path: resolvePath(path), where };
  if (total === 0) fail(`"${line}", a total of 0 frames`, "-1 says that the path is a video");
  if (start < 0) fail(`"${line}", a first picture of ${start}`);
  return { kind: "frames", folder: resolvePath(path), start, total, template, where };
}

function split(line: string, fail: (got: string, hint?: string) => never) {
  if (line.startsWith('"')) {
    const match = /^"([^"]*)"(?:\s+(.*))?$/.exec(line);
    if (match === null) return fail(`${line}, with a quote that does not close the path`);
    const fields = (match[2] ?? "").split(/\s+/).filter(Boolean);
    const odd = fields.find((field) => !/^-?\d+$/.test(field));
    if (odd !== undefined) fail(`"${odd}" after the path in ${line}`);
    return { path: match[1], numbers: fields.map(Number), quoted: true };
  }
  const fields = line.split(/\s+/);
  let count = 0;
  while (count < fields.length && /^-?\d+$/.test(fields[fields.length - 1 - count])) count++;
  // A negative total ends the numbers, or precedes a label: what stands before its start belongs to the path. Of
  // several numbers after what is plainly a video none belongs to the path.
  const tail = fields.slice(fields.length - count).map(Number);
  const negative = tail.findLastIndex((value) => value < 0);
  const plain = hasVideoExtension(fields.slice(0, fields.length - count).join(" "));
  const most = plain ? count : negative > 0 ? tail.length - negative + 1 : AT_MOST;
  const numbers = tail.slice(Math.max(0, tail.length - most));
  const path = new RegExp(`^(.*?)(?:\\s+-?\\d+){${numbers.length}}$`).exec(` ${line}`)?.[1] ?? "";
  return { path: path.trim(), numbers, quoted: false };
}

function hintFor(path: string): string {
  if (path.includes(",")) return "fields are separated by spaces, not commas";
  if (path.includes(" ")) return "put a path with spaces in double quotes";
  return `a video's name ends in one of ${VIDEO_EXTENSIONS.slice(0, 5).join(", ")}, ...; put another in double quotes`;
}
