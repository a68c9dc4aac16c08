// What the server of `videomae watch` tells a page, by the name of the event. There are only types here: the page's own
// script is built against them.

/** The numbers that have a curve. */
export type SeriesName =
  | "loss"
  | "validationLoss"
  | "top1"
  | "top5"
  | "learningRate"
  | "gradientNorm"
  | "clipsPerSecond"
  | "waiting";

/** A series from its point `from` on: what it had from there on counts no longer. All lists are equally long. */
export interface SeriesPart {
  readonly from: number;
  /** Of the last value of each point. */
  readonly step: readonly number[];
  readonly low: readonly number[];
  readonly high: readonly number[];
  readonly mean: readonly number[];
}

/** The places of the page that the server fills. */
export type SectionName = "title" | "stages" | "state" | "facts" | "pictures" | "outcomes" | "problems" | "details";

export interface Messages {
  /** The first one: which server this is. */
  readonly hello: { readonly server: string };
  /** HTML of the places that have changed, and the title of the window. */
  readonly sections: { readonly window: string; readonly changed: Readonly<Partial<Record<SectionName, string>>> };
  /** What is new of curves; `anew` when those before are of another run. */
  readonly curves: {
    readonly anew: boolean;
    readonly series: Readonly<Partial<Record<SeriesName, SeriesPart>>>;
    /** Updates that were skipped, as many of the last as are worth marking. */
    readonly skipped: readonly number[];
  };
  /** The server ends. */
  readonly bye: Readonly<Record<string, never>>;
}
