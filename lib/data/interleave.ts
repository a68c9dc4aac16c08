// In which order the sources of a mixture take turns: of the first k places source i has share_i * k of them, rounded up
// or down, at every k. A random choice would be off by the square root of k.
//
// This is the chairman assignment of Tijdeman (1980): a source may have the next place once it is behind its share by
// 1 / (2n - 2), and of those that may, the one whose turn cannot wait longest has it. No count is ever off by more than
// 1 - 1 / (2n - 2). Cost: places * sources, once.

export interface Turns {
  /** Which source has each place. */
  readonly source: Uint8Array;
  /** How many places before it that source had. */
  readonly before: Uint32Array;
  /** How many places each source has in all. */
  readonly counts: readonly number[];
}

/** Sources are numbered by a byte. */
export const MOST_SOURCES = 256;

/** @param shares  positive, with sum 1; at most `MOST_SOURCES` */
export function takeTurns(shares: readonly number[], places: number): Turns {
  const source = new Uint8Array(places);
  const before = new Uint32Array(places);
  const counts = shares.map(() => 0);
  const margin = shares.length > 1 ? 1 / (2 * shares.length - 2) : 0;
  for (let place = 0; place < places; place++) {
    let next = 0;
    let earliest = Number.POSITIVE_INFINITY;
    for (let i = 0; i < shares.length; i++) {
      const behind = (place + 1) * shares[i] - counts[i];
      const wait = (1 - margin - behind) / shares[i]; // places until it would be behind too far
      if (behind >= margin - 1e-9 && wait < earliest) [next, earliest] = [i, wait];
    }
    source[place] = next;
    before[place] = counts[next]++;
  }
  return { source, before, counts };
}
