// How options are spelt, and their values read, on the command line.
import { InvalidArgumentError } from "commander";

/** A finite number. */
export function parseNumber(text: string): number {
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (!Number.isFinite(value)) throw new InvalidArgumentError("expected a number.");
  return value;
}

/** "0.9,0.95" -> [0.9, 0.95] */
export function parseNumbers(text: string): number[] {
  return text.split(",").map(parseNumber);
}

/** "maskRatio" -> "--mask-ratio" */
export function flagOf(name: string): string {
  return `--${name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`;
}

/** 1536000 -> "1.5 MB" */
export function bytesText(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const unit = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(bytes, 1)) / 3)));
  const value = bytes / 1000 ** unit;
  return `${value.toFixed(unit > 0 && value < 100 ? 1 : 0)} ${units[unit]}`;
}
