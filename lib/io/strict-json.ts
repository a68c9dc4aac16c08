// JSON in which no object has a key twice: JSON.parse keeps the last of two equal keys, and which of two tensors of one
// name is meant must not be guessed.

/** Names the first key that occurs twice. */
export class DuplicateKeyError extends Error {
  constructor(readonly key: string) {
    super(`the key ${JSON.stringify(key)} twice`);
  }
}

/**
 * JSON.parse, and a scan of the keys of all objects.
 * @throws SyntaxError; DuplicateKeyError
 */
export function parseStrictJson(text: string): unknown {
  const value = JSON.parse(text);
  const open: Set<string>[] = []; // the keys of each object around; arrays have one too, which stays empty
  for (const { 0: token, 1: string, 2: colon } of text.matchAll(/("(?:[^"\\]|\\.)*")(\s*:)?|[{}[\]]/g)) {
    if (token === "{" || token === "[") open.push(new Set());
    else if (token === "}" || token === "]") open.pop();
    else if (colon !== undefined) {
      const key = JSON.parse(string) as string;
      const keys = open[open.length - 1];
      if (keys.has(key)) throw new DuplicateKeyError(key);
      keys.add(key);
    }
  }
  return value;
}
