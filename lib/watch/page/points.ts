// The points of a curve as a page holds them, put together out of the parts that it is sent.

import type { SeriesName, SeriesPart } from "../messages.js";

/** All points of a curve; the lists are equally long. */
export type Points = Readonly<Record<"step" | "low" | "high" | "mean", readonly number[]>>;

/** Takes parts into what is known: each gives all points from its place on. */
export function takeParts(
  known: Map<SeriesName, Points>,
  series: Readonly<Partial<Record<SeriesName, SeriesPart>>>,
): void {
  for (const [name, part] of Object.entries(series)) {
    const before = known.get(name as SeriesName);
    const column = (which: keyof Points) => [...(before?.[which].slice(0, part.from) ?? []), ...part[which]];
    const points = { step: column("step"), low: column("low"), high: column("high"), mean: column("mean") };
    known.set(name as SeriesName, points);
  }
}
