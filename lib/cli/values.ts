// How option values are read from the command line.
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
