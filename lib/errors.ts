// One error type for the whole package: what failed, what was expected, what came, and what to do about it.

/** The parts of an error message; every one but `op` is optional. */
export interface ErrorParts {
  /** The operation, command, file or option that failed, e.g. `layerNorm` or `clips.csv:12`. */
  readonly op: string;
  readonly expected?: string;
  readonly got?: string;
  /** What the user can do about it. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/** Thrown for every mistake that a caller can correct. The message reads `op: expected X; got Y. Hint: Z`. */
export class VideomaeError extends Error {
  readonly op: string;
  readonly expected: string | undefined;
  readonly got: string | undefined;
  readonly hint: string | undefined;

  constructor(parts: ErrorParts) {
    super(describe(parts), parts.cause === undefined ? undefined : { cause: parts.cause });
    this.name = "VideomaeError";
    this.op = parts.op;
    this.expected = parts.expected;
    this.got = parts.got;
    this.hint = parts.hint;
  }
}

function describe({ op, expected, got, hint }: ErrorParts): string {
  const facts = [expected && `expected ${expected}`, got && `got ${got}`].filter(Boolean).join("; ");
  return `${op}: ${facts}${hint ? `${facts ? ". " : ""}Hint: ${hint}` : ""}`;
}

/**
 * The candidate that `word` begins, or else the nearest by edit distance, when that is near enough to be a misspelling.
 */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  if (word.length > MOST_LETTERS) return undefined;
  const begun = word.length > 3 ? candidates.find((candidate) => candidate.startsWith(word)) : undefined;
  if (begun !== undefined) return begun;
  let best: string | undefined;
  let bestDistance = Math.max(word.length > 3 ? 2 : 1, Math.floor(word.length / 3)) + 1;
  for (const candidate of candidates) {
    const d = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (d < bestDistance) [best, bestDistance] = [candidate, d];
  }
  return best;
}

/** No name is longer; what is, is no misspelling. */
const MOST_LETTERS = 100;

/** Throws when `options` has a key that is not in `known`, naming the nearest known one. */
export function rejectUnknownOptions(op: string, options: object, known: readonly string[]): void {
  for (const key of Object.keys(options)) {
    if (known.includes(key)) continue;
    const near = nearest(key, known);
    throw new VideomaeError({
      op,
      expected: `options out of ${known.join(", ")}`,
      got: `"${key}"`,
      hint: near ? `did you mean "${near}"?` : "remove it",
    });
  }
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
    }
    row = next;
  }
  return row[b.length];
}
