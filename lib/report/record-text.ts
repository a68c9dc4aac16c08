// Options and lines of a log as names and values to read.

import type { LogRecord } from "../log/jsonl.js";

/** Names and values of a record, but not what kind of event it is. */
export function recordRows(record: object | undefined): [string, string][] {
  return Object.entries(record ?? {}).flatMap(([name, value]) =>
    name === "event" ? [] : [[words(name), valueText(value)] as [string, string]],
  );
}

/** A line of the log that is not an update. */
export function noteRow({ event, note, ...rest }: LogRecord & { readonly event: string }): [string, string] {
  return [
    event,
    typeof note === "string"
      ? note
      : recordRows(rest)
          .map(([name, value]) => `${name} ${value}`)
          .join(", "),
  ];
}

/** What was given as data: one source, or several. */
export function dataText(data: unknown): string {
  return Array.isArray(data) ? data.map(valueText).join(", ") : valueText(data);
}

/** Any value of an option. */
export function valueText(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** "instructionSet" -> "instruction set" */
function words(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}
