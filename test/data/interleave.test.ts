import { describe, expect, it } from "vitest";
import { takeTurns } from "#lib/data/interleave.js";
import { RandomStream } from "#lib/random.js";

describe("takeTurns", () => {
  it.each(Array.from({ length: 16 }, (_, seed) => seed))(
    "keeps every share within one place, always (seed %i)",
    (seed) => {
      const stream = new RandomStream(seed, "test.shares");
      const count = 1 + stream.integer(9);
      const weights = Array.from({ length: count }, () => 1e-3 + stream.uniform() ** 4);
      const total = weights.reduce((a, b) => a + b);
      const shares = weights.map((weight) => weight / total);
      const turns = takeTurns(shares, 3000);
      const had = shares.map(() => 0);
      for (const [place, source] of turns.source.entries()) {
        expect(turns.before[place]).toBe(had[source]++);
        for (const [i, share] of shares.entries()) expect(Math.abs(had[i] - share * (place + 1))).toBeLessThan(1);
      }
      expect(turns.counts).toEqual(had);
    },
  );

  it("gives as many places as there are when shares are counts", () => {
    const counts = [1, 658, 169, 21, 250, 250];
    const total = counts.reduce((a, b) => a + b);
    const shares = counts.map((count) => count / total);
    expect(takeTurns(shares, total).counts).toEqual(counts);
    expect(takeTurns(shares, 7 * total).counts).toEqual(counts.map((count) => 7 * count));
  });

  it("alternates equal shares", () => {
    expect([...takeTurns([0.5, 0.5], 6).source].join("")).toMatch(/^(01){3}$|^(10){3}$/);
    expect(takeTurns([0.25, 0.75], 8).counts).toEqual([2, 6]);
    expect([...takeTurns([1], 3).source]).toEqual([0, 0, 0]);
  });
});
