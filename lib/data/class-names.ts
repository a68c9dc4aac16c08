// The classes of a data set by name: a text file with a name a line, the first being class 0.

import { nearest, VideomaeError } from "../errors.js";
import { readText } from "./lists.js";

/**
 * Reads a file of class names. Lines that are empty are an error, as they would move every class behind them.
 * @returns  names without white space at their ends, class 0 first
 * @throws VideomaeError that names the line, for a name that is there twice or an empty line
 */
export function readClassNames(file: string): string[] {
  const lines = readText(file)
    .trimEnd()
    .split(/\r\n|\n|\r/); // the end of a file may be empty
  return checkClassNames(
    lines.map((line) => line.trim()),
    (i) => `${file}:${i + 1}`,
  );
}

/**
 * The names themselves, when they can be classes.
 * @param where  what messages call name number i
 * @throws VideomaeError for no names, an empty one, or one that is there twice
 */
export function checkClassNames(names: readonly string[], where: (i: number) => string): string[] {
  const first = new Map<string, number>();
  for (const [i, name] of names.entries()) {
    if (name === "") throw new VideomaeError({ op: where(i), expected: "the name of a class", got: "an empty line" });
    const before = first.get(name);
    if (before !== undefined) {
      throw new VideomaeError({
        op: where(i),
        expected: "every class once",
        got: `"${name}", which is class ${before} already`,
      });
    }
    first.set(name, i);
  }
  return [...names];
}

/**
 * The number of a class.
 * @param where  what asks, for the message
 * @throws VideomaeError naming the nearest class when there is none of that name
 */
export function classNumber(name: string, classes: readonly string[], where: string): number {
  const number = classes.indexOf(name);
  if (number >= 0) return number;
  const near = nearest(name, classes);
  throw new VideomaeError({
    op: where,
    expected: `one of the ${classes.length} classes`,
    got: `"${name}"`,
    hint: near === undefined ? undefined : `did you mean "${near}"?`,
  });
}
