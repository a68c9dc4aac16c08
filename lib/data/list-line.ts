// One line of a list of clips (spec 4.2), and the number fields it ends in:
//
//   path                     a video
//   path label               a video of a class
//   path 0 -1                a video (total frames below 0), the official form of pre-training
//   folder start total       numbered pictures; with "total-label": `total` pictures and their class
//   ... label                a class after any of the forms with `start total`
//
// Numbers are taken from the right, so a path may hold spaces; one that ends in " <number>" is put in double quotes.
// Nothing in a line tells the two forms of three fields apart, so `pictures` says which a list has.

import { VideomaeError } from "../errors.js";
import type { Source } from "./source.js";

/** File name endings of videos. */
export const VIDEO_EXTENSIONS =
  "3gp 264 265 asf avi flv gif h264 h265 hevc m2ts m2v m4v mjpeg mkv mov mp4 mpeg mpg mts mxf ogv ts vob webm wmv y4m".split(
    " ",
  );

/** What the numbers after a folder of pictures are. */
export type PictureFields = "start-total" | "total-label";

export interface LineOptions {
  /** File name of picture number i. */
  readonly template: string;
  /** Default `start-total`. */
  readonly pictures?: PictureFields;
  /** Number of the first picture where the line does not say it; default 1. */
  readonly startIndex?: number;
  /** Makes a path of the list absolute. */
  readonly resolvePath: (path: string) => string;
}

type Fail = (got: string, hint?: string) => never;

const EXPECTED = '"path", "path label", "path 0 -1" or "folder start total"';
const AT_MOST = 3;

/** Whether a file name ends like a video's. */
export function hasVideoExtension(path: string): boolean {
  const dot = path.lastIndexOf(".");
  return dot >= 0 && VIDEO_EXTENSIONS.includes(path.slice(dot + 1).toLowerCase());
}

/**
 * @param line  without white space at its ends
 * @param where  `list.csv:12`
 * @throws VideomaeError that begins with `where`
 */
export function parseLine(line: string, where: string, options: LineOptions): Source {
  const fail: Fail = (got, hint) => {
    throw new VideomaeError({ op: where, expected: EXPECTED, got, hint });
  };
  if (line.includes("\0")) fail("binary data", "name a list file or a folder");
  const { path, numbers, quoted } = line.startsWith('"') ? splitQuoted(line, fail) : split(line);
  if (path === "") fail(`"${excerpt(line)}", without a path`);
  if (numbers.length > AT_MOST) {
    fail(`${numbers.length} numbers in "${excerpt(line)}"`, "put a path with spaces in double quotes");
  }
  const large = numbers.find((number) => !Number.isSafeInteger(number));
  if (large !== undefined) fail(`the number ${large}`, "is it part of the path? put that in double quotes");

  const video = (label?: number): Source => {
    return { kind: "video", path: options.resolvePath(path), where, ...labelled(label) };
  };
  if (numbers.length <= 1) {
    if (!quoted && !hasVideoExtension(path)) fail(`"${excerpt(line)}"`, hintFor(path));
    return video(numbers[0]);
  }
  const byTotal = options.pictures === "total-label" && numbers.length === 2 && !hasVideoExtension(path);
  const [start, total, label] = byTotal ? [options.startIndex ?? 1, ...numbers] : numbers;
  if (total < 0) return video(label);
  if (total === 0) fail(`"${excerpt(line)}", a total of 0 frames`, "-1 says that the path is a video");
  if (start < 0) fail(`"${excerpt(line)}", a first picture of ${start}`);
  const folder = options.resolvePath(path);
  return { kind: "frames", folder, start, total, template: options.template, where, ...labelled(label) };
}

/** A line of the official form: `path 0 -1` or `folder start total`, with the class where one is given. */
export function officialLine(path: string, source: Source, label: number | undefined): string {
  const counts = source.kind === "video" ? "0 -1" : `${source.start} ${source.total}`;
  return `${quotedPath(path)} ${counts}${label === undefined ? "" : ` ${label}`}`;
}

/** A line of a classification list: `path label`, or `folder start total label`. */
export function labelledLine(path: string, source: Source, label: number): string {
  return source.kind === "video" ? `${quotedPath(path)} ${label}` : officialLine(path, source, label);
}

/** In quotes where the path's own end, or beginning, could be taken for something else. */
function quotedPath(path: string): string {
  return /\s-?\d+$|^["#]|^\s|\s$/.test(path) ? `"${path}"` : path;
}

/** A class; a negative number says that there is none. */
function labelled(label: number | undefined): { label?: number } {
  return label === undefined || label < 0 ? {} : { label };
}

function splitQuoted(line: string, fail: Fail) {
  const end = line.indexOf('"', 1);
  const rest = line.slice(end + 1);
  if (end < 0 || !/^(\s|$)/.test(rest)) fail(`${excerpt(line)}, with a quote that does not close the path`);
  const fields = rest.split(/\s+/).filter(Boolean);
  const odd = fields.find((field) => !isNumber(field));
  if (odd !== undefined) fail(`"${excerpt(odd)}" after the path in ${excerpt(line)}`);
  return { path: line.slice(1, end), numbers: fields.map(Number), quoted: true };
}

function split(line: string) {
  const fields = [...line.matchAll(/\S+/g)];
  let count = 0;
  while (count < fields.length && isNumber(fields[fields.length - 1 - count][0])) count++;
  // A negative total ends the numbers, or precedes a label: what stands before its start belongs to the path. Of
  // several numbers after what is plainly a video none belongs to the path.
  const tail = fields.slice(fields.length - count).map(([field]) => Number(field));
  const negative = tail.findLastIndex((value) => value < 0);
  const before = (numbers: number) => line.slice(0, fields[fields.length - numbers]?.index).trimEnd();
  const most = hasVideoExtension(before(count)) ? count : negative > 0 ? tail.length - negative + 1 : AT_MOST;
  const numbers = tail.slice(Math.max(0, tail.length - most));
  return { path: before(numbers.length), numbers, quoted: false };
}

function isNumber(field: string): boolean {
  return /^-?\d+$/.test(field);
}

function excerpt(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}

function hintFor(path: string): string {
  if (path.includes(",")) return "fields are separated by spaces, not commas";
  if (path.includes(" ")) return "put a path with spaces in double quotes";
  return `a video's name ends in one of ${VIDEO_EXTENSIONS.slice(0, 5).join(", ")}, ...; put another in double quotes`;
}
