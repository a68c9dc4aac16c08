// What is wrong with a value that a zod schema refused, in the words of a VideomaeError: the path of the key, what was
// expected, what came, and for a misspelt key or word the nearest real one. Of several mistakes the first is told.

import type * as z from "zod";
import { nearest } from "../errors.js";

/** One mistake. */
export interface Mistake {
  /** Where it is, from the outermost key in; empty for the value itself. */
  readonly path: readonly PropertyKey[];
  readonly expected: string;
  readonly got: string;
  readonly hint: string | undefined;
}

/** Better advice about an unknown key, or a word that is none of those allowed under a key, where there is any. */
export interface Advice {
  key?(name: string): string | undefined;
  word?(key: string, word: string): string | undefined;
}

const MOST_SHOWN = 120;

/** The first mistake that `schema` finds in `value`, or undefined when there is none. */
export function firstMistake(schema: z.ZodType, value: unknown, advice: Advice = {}): Mistake | undefined {
  const result = schema.safeParse(value);
  return result.success ? undefined : explain(schema, value, result.error.issues[0], [], advice);
}

/** `data[1].weight` */
export function pathText(path: readonly PropertyKey[]): string {
  return path
    .map((part, i) => (typeof part === "number" ? `[${part}]` : `${i > 0 ? "." : ""}${String(part)}`))
    .join("");
}

function explain(
  schema: z.ZodType,
  value: unknown,
  issue: z.core.$ZodIssue,
  above: readonly PropertyKey[],
  advice: Advice,
): Mistake {
  const path = [...above, ...issue.path];
  const here = issue.path.reduce<unknown>(childValue, value);
  const at = issue.path.reduce<z.ZodType | undefined>((s, key) => s && childSchema(s, key), schema);
  if (issue.code === "unrecognized_keys") {
    const [key] = issue.keys;
    const known = at ? keysOf(at) : [];
    const near = nearest(key, known);
    const hint =
      advice.key?.(key) ?? (near ? `did you mean "${near}"?` : `the options${inside(path)} are ${known.join(", ")}`);
    return { path: [...path, key], expected: "a known option", got: shown(key), hint };
  }
  if (issue.code === "invalid_union") {
    // The alternative that got furthest is the one that was meant.
    const meant = issue.errors.findIndex(([first]) => first && (first.path.length > 0 || isInside(first)));
    const option = at && unionOptions(at)[meant];
    if (option) {
      const inner = explain(option, here, issue.errors[meant][0], path, advice);
      return { ...inner, hint: inner.hint ?? descriptionOf(schema, issue.path) };
    }
  }
  const word = issue.code === "invalid_value" && typeof here === "string" ? here : undefined;
  const key = String(path.findLast((part) => typeof part === "string") ?? "");
  const near = word !== undefined && nearest(word, (issue as z.core.$ZodIssueInvalidValue).values.map(String));
  const described = issue.path.length > 0 ? descriptionOf(schema, issue.path) : undefined;
  return {
    path,
    expected: expectation(issue, at),
    got: shown(here),
    hint: (word !== undefined && advice.word?.(key, word)) || (near ? `did you mean "${near}"?` : described),
  };
}

/** Whether an issue without a path is about the inside of a value all the same. */
function isInside({ code }: z.core.$ZodIssue): boolean {
  return code === "unrecognized_keys";
}

function expectation(issue: z.core.$ZodIssue, at: z.ZodType | undefined): string {
  if (issue.code === "invalid_value") return `one of ${issue.values.join(", ")}`;
  if (issue.code === "invalid_union") return at ? typeNames(at) : "a value of another type";
  const text = issue.message.replace(/^(Invalid input|Too small|Too big): /, "").replace(/^expected /, "");
  return text.replace(/, received .*$/, "").replace(/^int$/, "an integer");
}

function typeNames(schema: z.ZodType): string {
  return unionOptions(schema)
    .map((option) => option.def.type)
    .join(" or ");
}

function inside(path: readonly PropertyKey[]): string {
  return path.length > 0 ? ` of ${pathText(path)}` : "";
}

/** The schema below wrappers such as optional and default. */
function bare(schema: z.ZodType): z.ZodType {
  const { innerType } = schema.def as { innerType?: z.ZodType };
  return innerType ? bare(innerType) : schema;
}

function unionOptions(schema: z.ZodType): readonly z.ZodType[] {
  return (bare(schema) as { options?: readonly z.ZodType[] }).options ?? [];
}

function keysOf(schema: z.ZodType): string[] {
  const own = Object.keys((bare(schema) as { shape?: object }).shape ?? {});
  return [...own, ...unionOptions(schema).flatMap(keysOf)];
}

function childSchema(schema: z.ZodType, key: PropertyKey): z.ZodType | undefined {
  const inner = bare(schema) as {
    shape?: Record<PropertyKey, z.ZodType>;
    element?: z.ZodType;
    def: { items?: readonly z.ZodType[]; valueType?: z.ZodType };
  };
  if (inner.def.valueType) return inner.def.valueType; // a record: every key has the same schema
  if (inner.shape) return Object.hasOwn(inner.shape, key) ? inner.shape[key] : undefined;
  if (typeof key === "number") {
    const item = inner.element ?? inner.def.items?.[key];
    if (item) return item;
  }
  return unionOptions(schema)
    .map((option) => childSchema(option, key))
    .find((child) => child !== undefined);
}

/** The description nearest to the end of the path. */
function descriptionOf(schema: z.ZodType, path: readonly PropertyKey[]): string | undefined {
  let [at, description]: [z.ZodType | undefined, string | undefined] = [schema, undefined];
  for (const key of path) {
    at = at && childSchema(at, key);
    description = at?.description ?? description;
  }
  return description;
}

function childValue(value: unknown, key: PropertyKey): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, key)
    ? (value as Record<PropertyKey, unknown>)[key]
    : undefined;
}

/** A value in a message: JSON where that can be written, and not more than a line. */
function shown(value: unknown): string {
  if (value === undefined) return "nothing";
  return shortened(jsonOf(value) ?? String(value));
}

/** Not more than about a line of a text that others wrote. */
export function shortened(text: string): string {
  return text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)}...` : text;
}

/** Undefined for what JSON cannot hold: functions, big integers, circles. */
function jsonOf(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return undefined;
  }
}
