/// <reference lib="dom" />
// The curves of the page, drawn by uPlot. A long run comes in points that stand for many updates: a band from the lowest to
// the highest of each, and a line through their means.

import type UPlot from "uplot";
import { localFit, lossRange } from "../../log/loss-curve.js";
import type { SeriesName } from "../messages.js";
import type { Points } from "./points.js";

declare const uPlot: typeof UPlot;

type Column = readonly (number | null)[];

/** A curve of a chart: a band and a smoothed line through it, or only a line through the means. */
interface CurveSpec {
  readonly series: SeriesName;
  readonly label: string;
  /** Custom property of the style. */
  readonly colour: string;
  readonly band?: string;
  /** Dots where there are few points. */
  readonly dots?: boolean;
}

interface ChartSpec {
  readonly title: string;
  readonly curves: readonly CurveSpec[];
  readonly wide?: boolean;
  /** The axis: what is worth showing of a loss, from zero, or percent. */
  readonly axis: "loss" | "zero" | "percent";
  /** Whether skipped updates are marked. */
  readonly marks?: boolean;
}

const charts: readonly ChartSpec[] = [
  {
    ...{ title: "Loss", wide: true, axis: "loss", marks: true },
    curves: [
      { series: "loss", label: "smoothed", colour: "--accent", band: "--pale" },
      { series: "validationLoss", label: "validation", colour: "--warm", dots: true },
    ],
  },
  {
    ...{ title: "Accuracy on the validation set, %", wide: true, axis: "percent" },
    curves: [
      { series: "top1", label: "top-1", colour: "--green", dots: true },
      { series: "top5", label: "top-5", colour: "--muted", dots: true },
    ],
  },
  {
    ...{ title: "Learning rate", axis: "zero" },
    curves: [{ series: "learningRate", label: "learning rate", colour: "--warm" }],
  },
  {
    ...{ title: "Gradient norm", axis: "zero" },
    curves: [{ series: "gradientNorm", label: "smoothed", colour: "--muted", band: "--pale" }],
  },
  {
    ...{ title: "Clips a second", axis: "zero" },
    curves: [{ series: "clipsPerSecond", label: "clips a second", colour: "--accent" }],
  },
  {
    ...{ title: "Waiting for data, %", axis: "zero" },
    curves: [{ series: "waiting", label: "of the time", colour: "--warm" }],
  },
];

const WIDE_HEIGHT = 300;
const HEIGHT = 180;
const FONT = "12px system-ui, sans-serif";

/** All charts, in the order in which they stand. */
export function makeCharts(place: HTMLElement): Chart[] {
  return charts.map((spec) => new Chart(spec, place));
}

export class Chart {
  readonly #spec: ChartSpec;
  readonly #figure = document.createElement("figure");
  readonly #plot = document.createElement("div");
  #chart: UPlot | undefined;
  #skipped: readonly number[] = [];
  /** Which curves are drawn at present. */
  #drawn = "";

  constructor(spec: ChartSpec, place: HTMLElement) {
    this.#spec = spec;
    this.#figure.hidden = true;
    if (spec.wide) this.#figure.className = "wide";
    const caption = document.createElement("figcaption");
    caption.textContent = spec.title;
    this.#plot.className = "plot";
    this.#plot.setAttribute("role", "img");
    this.#figure.append(caption, this.#plot);
    place.append(this.#figure);
    new ResizeObserver(() => this.#chart?.setSize(this.#size())).observe(this.#plot);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#restyle());
  }

  /** Draws what is known. */
  update(known: ReadonlyMap<SeriesName, Points>, skipped: readonly number[]): void {
    const curves = this.#spec.curves.filter(({ series }) => (known.get(series)?.step.length ?? 0) > 0);
    this.#figure.hidden = curves.length === 0;
    this.#skipped = this.#spec.marks ? skipped : [];
    if (curves.length === 0) {
      this.#forget();
      return;
    }
    const tables = curves.map((curve) => tableOf(curve, known.get(curve.series)!));
    const data = (tables.length === 1 ? tables[0] : uPlot.join(tables as UPlot.AlignedData[])) as UPlot.AlignedData;
    const drawn = curves.map(({ series }) => series).join();
    if (this.#chart === undefined || drawn !== this.#drawn) {
      this.#forget();
      this.#drawn = drawn;
      this.#chart = new uPlot(this.#options(curves), data, this.#plot);
    } else if (showsAll(this.#chart)) this.#chart.setData(data);
    else {
      this.#chart.setData(data, false); // the part that was chosen stays
      this.#chart.redraw();
    }
    this.#plot.setAttribute("aria-label", `${this.#spec.title}: ${curves.map((c) => lastOf(c, known)).join(", ")}`);
  }

  #forget(): void {
    this.#chart?.destroy();
    this.#chart = undefined;
  }

  /** Anew in other colours. */
  #restyle(): void {
    const { data } = this.#chart ?? {};
    if (data === undefined) return;
    const curves = this.#spec.curves.filter(({ series }) => this.#drawn.split(",").includes(series));
    this.#forget();
    this.#chart = new uPlot(this.#options(curves), data, this.#plot);
  }

  #size(): { width: number; height: number } {
    return { width: Math.max(200, this.#plot.clientWidth), height: this.#spec.wide ? WIDE_HEIGHT : HEIGHT };
  }

  #options(curves: readonly CurveSpec[]): UPlot.Options {
    const series: UPlot.Series[] = [{ label: "update", value: (_, step) => (step === null ? "-" : `${step}`) }];
    const bands: UPlot.Band[] = [];
    for (const { label, colour, band, dots } of curves) {
      if (band !== undefined) {
        const edge = { stroke: colourOf(band), width: 1, points: { show: false }, spanGaps: true };
        series.push({
          ...edge,
          label: "each",
          value: (chart, low, i, at) => rangeText(low, at === null ? null : chart.data[i + 1][at]),
        });
        series.push({ ...edge, label: "highest", class: "unlisted" });
        bands.push({ series: [series.length - 1, series.length - 2], fill: colourOf(band) });
      }
      const points = dots ? { size: 5 } : { show: false };
      series.push({
        label,
        stroke: colourOf(colour),
        width: 2,
        points,
        spanGaps: true,
        value: (_, value) => numberText(value),
      });
    }
    const axis = {
      stroke: colourOf("--muted"),
      font: FONT,
      ticks: { show: false },
      grid: { stroke: colourOf("--grid"), width: 1 },
    };
    return {
      ...this.#size(),
      ...{ series, bands },
      scales: { x: { time: false }, y: { range: (chart, low, high) => this.#range(chart, low, high) } },
      axes: [
        {
          ...axis,
          space: 60,
          size: 32,
          values: (_, steps) => steps.map((step) => (Number.isInteger(step) ? stepText(step) : "")),
        },
        { ...axis, size: 58, values: (_, values) => values.map(numberText) },
      ],
      cursor: { sync: { key: "steps" }, y: false, points: { size: 6 } },
      legend: { live: true },
      hooks: {
        draw: [(chart) => this.#mark(chart)],
      },
    };
  }

  /** Of the axis, around the values in view. */
  #range({ data, scales }: UPlot, low: number | null, high: number | null): [number, number] {
    const { axis, curves } = this.#spec;
    if (axis === "percent") return [0, 100];
    if (low === null || high === null) return [0, 1];
    if (axis === "zero") return [Math.min(0, low), high * 1.08 || 1];
    const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY } = scales.x;
    const banded = curves[0].band !== undefined && this.#drawn.startsWith(curves[0].series);
    const shown = (banded ? [data[1], data[2]] : [data[1]]).flatMap((column) =>
      (column as Column).filter(
        (value, i): value is number => value !== null && data[0][i] >= min && data[0][i] <= max,
      ),
    );
    if (shown.length === 0) return [low, high];
    const range = lossRange(shown);
    return [range.low, range.high];
  }

  /** Updates that were skipped, on the axis. */
  #mark({ ctx, bbox, valToPos }: UPlot): void {
    ctx.save();
    ctx.fillStyle = propertyValue("--alert");
    for (const step of this.#skipped) {
      const x = valToPos(step, "x", true);
      const tall = 8 * devicePixelRatio;
      if (x >= bbox.left && x <= bbox.left + bbox.width) ctx.fillRect(x - 1, bbox.top + bbox.height - tall, 2, tall);
    }
    ctx.restore();
  }
}

/** The columns of a curve: steps, the edges of its band where it has one, and its line. */
function tableOf({ band }: CurveSpec, { step, low, high, mean }: Points): Column[] {
  if (band === undefined) return [step, mean];
  const { high: top } = lossRange(mean);
  const cut = mean.map((value) => Math.min(value, top)); // one spike must not bend the smoothed curve
  return [step, low, high, localFit(cut, Math.max(3, Math.round(mean.length * 0.015)))];
}

/** Whether no part of the steps was chosen to be looked at. */
function showsAll({ data: [steps], scales: { x } }: UPlot): boolean {
  return steps.length < 2 || (x.min === steps[0] && x.max === steps[steps.length - 1]);
}

function lastOf({ series, label }: CurveSpec, known: ReadonlyMap<SeriesName, Points>): string {
  const { step, mean } = known.get(series)!;
  return `${label} ${numberText(mean.at(-1))} at update ${step.at(-1)}`;
}

function propertyValue(property: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(property).trim();
}

function colourOf(property: string): () => string {
  return () => propertyValue(property);
}

function rangeText(low: number | null | undefined, high: number | null | undefined): string {
  return low === high ? numberText(low) : `${numberText(low)} to ${numberText(high)}`;
}

function numberText(value: number | null | undefined): string {
  if (value === null || value === undefined) return "-";
  const size = Math.abs(value);
  return size !== 0 && (size < 1e-3 || size >= 1e5) ? value.toExponential(1) : `${Number(value.toPrecision(4))}`;
}

/** 1500 -> "1500", 20000 -> "20k", 1.5e6 -> "1.5M" */
function stepText(step: number): string {
  if (step >= 1e6) return `${step / 1e6}M`;
  return step >= 1e4 ? `${step / 1e3}k` : `${step}`;
}
