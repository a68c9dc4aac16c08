// One space of classes out of several, by name: how Kinetics-710 came from Kinetics-400, -600 and -700 (VideoMAE V2,
// section 4; spec 6). Class numbers differ between data sets, and between lists of one; names do not.

import { VideomaeError } from "../errors.js";

/** The classes of one data set. */
export interface ClassSpace {
  readonly name: string;
  /** Names by class number. */
  readonly classes: readonly string[];
}

/** Several spaces in one. */
export interface MergedClasses {
  /** Names by merged class number, in the order in which the spaces first name them. */
  readonly classes: readonly string[];
  /**
   * For each space, in their order, the merged number of its class i. These are the label maps by which a head of the
   * merged classes becomes one of the space's: `row[i] = merged[map[i]]`.
   */
  readonly maps: readonly (readonly number[])[];
  /** Names that differ in nothing but case, punctuation and spaces, and were kept apart. */
  readonly nearlySame: readonly (readonly [string, string])[];
}

/**
 * Merges class spaces by name.
 * @param renamed  names that mean the same class as another: old name to the one that stays
 * @throws VideomaeError when a rename names no class, or two classes of one space become one
 */
export function mergeClasses(
  spaces: readonly ClassSpace[],
  renamed: Readonly<Record<string, string>> = {},
): MergedClasses {
  const all = new Set(spaces.flatMap(({ classes }) => classes));
  for (const [from, to] of Object.entries(renamed)) {
    const wrong = !all.has(from) ? from : !all.has(to) ? to : undefined;
    if (wrong !== undefined) {
      throw new VideomaeError({
        op: `same: "${from}"`,
        expected: "names of classes",
        got: `"${wrong}", which is none`,
      });
    }
    if (Object.hasOwn(renamed, to)) {
      const got = `"${to}", which is itself called "${renamed[to]}"`;
      throw new VideomaeError({ op: `same: "${from}"`, expected: "the name that stays", got });
    }
  }
  const numbers = new Map<string, number>();
  const maps = spaces.map(({ name: space, classes }) => {
    const taken = new Map<number, string>(); // merged number -> name in this space
    return classes.map((own) => {
      const name = Object.hasOwn(renamed, own) ? renamed[own] : own;
      if (!numbers.has(name)) numbers.set(name, numbers.size);
      const number = numbers.get(name)!;
      const other = taken.get(number);
      if (other !== undefined) {
        throw new VideomaeError({
          op: `merging ${space}`,
          expected: "classes of one data set to stay apart",
          got: `"${other}" and "${own}", both "${name}"`,
        });
      }
      taken.set(number, own);
      return number;
    });
  });
  const classes = [...numbers.keys()];
  return { classes, maps, nearlySame: nearlySame(classes) };
}

function nearlySame(names: readonly string[]): [string, string][] {
  const bare = new Map<string, string>();
  const pairs: [string, string][] = [];
  for (const name of names) {
    const key = name.toLowerCase().replace(/[^\p{L}\p{N}]/gu, "");
    const before = bare.get(key);
    if (before !== undefined) pairs.push([before, name]);
    else bare.set(key, name);
  }
  return pairs;
}
