// The loss curve of a run as a picture: raw loss thin and pale, a smoothed one bold, the learning rate in a strip below.
// Smoothing is a straight line fitted to the 3 % of the points around each, which follows a steep start without bias.
// Values far above the curve are cut at the frame; steps whose loss was not finite are marked red on the axis.

import { writeFile } from "node:fs/promises";
import { extname } from "node:path";
import { VideomaeError } from "../errors.js";
import { linePlotSvg, type Panel, spread } from "./line-plot.js";
import { localFit, lossRange } from "./loss-curve.js";

/** One point of a curve of losses. */
export interface LossPoint {
  /** Optimiser step. */
  readonly step: number;
  readonly loss: number;
  readonly learningRate?: number;
}

/** Options of `lossPlotSvg` and `writeLossPlot`. */
export interface LossPlotOptions {
  /** Heading, default "Training loss". */
  readonly title?: string;
}

/** The colours of curves on white paper. */
const strokes = { raw: "#9fc3e8", smooth: "#1b5fa8", rate: "#c2762b" };

/** Draws points in order of step; at least one must have a finite loss. */
export function lossPlotSvg(points: readonly LossPoint[], { title = "Training loss" }: LossPlotOptions = {}): string {
  const loss = lossPanel(points, 420, strokes);
  const rates = points.filter(({ learningRate }) => Number.isFinite(learningRate));
  const summary = summaryOf(loss);
  if (rates.length < 2) return linePlotSvg([loss], { title, summary });
  const rate = valuePanel("learning rate", rates, ({ learningRate }) => learningRate as number, 88, strokes.rate);
  return linePlotSvg([{ ...loss, height: 328 }, rate], { title, summary });
}

/**
 * The panel of a loss: each step, and smoothed.
 * @param height  in pixels
 * @throws VideomaeError when no loss is finite
 */
export function lossPanel(
  points: readonly LossPoint[],
  height: number,
  colours: { readonly raw: string; readonly smooth: string },
): Panel {
  const known = points.filter(({ step }) => Number.isFinite(step)).sort((a, b) => a.step - b.step);
  const finite = known.filter(({ loss }) => Number.isFinite(loss));
  if (finite.length === 0) {
    const hint = "wait for the first logged step";
    throw new VideomaeError({ op: "lossPlotSvg", expected: "at least one finite loss", got: "none", hint });
  }
  const steps = finite.map(({ step }) => step);
  const losses = finite.map(({ loss }) => loss);
  const range = lossRange(losses);
  const cut = losses.map((loss) => Math.min(loss, range.high)); // one spike must not bend the smoothed curve
  const smooth = localFit(cut, Math.max(3, Math.round(losses.length * 0.015)));
  return {
    ...{ label: "loss", height, range },
    curves: [
      { label: "each step", steps, values: losses, colour: colours.raw, width: 1 },
      { label: "smoothed", steps, values: smooth, colour: colours.smooth, width: 2.5 },
    ],
    alerts: known.filter(({ loss }) => !Number.isFinite(loss)).map(({ step }) => step),
  };
}

/** The panel of one number that is never negative, such as a rate, on an axis from zero. */
export function valuePanel<P extends { readonly step: number }>(
  label: string,
  points: readonly P[],
  read: (point: P) => number,
  height: number,
  colour: string,
): Panel {
  const values = points.map(read);
  const range = { low: 0, high: spread(values).high * 1.08 || 1 };
  const steps = points.map(({ step }) => step);
  return { label, height, range, ticks: 2, curves: [{ label, steps, values, colour, width: 2 }] };
}

/** Writes the plot to a file ending in `.svg`, or `.png` at twice the size. */
export async function writeLossPlot(
  path: string,
  points: readonly LossPoint[],
  options: LossPlotOptions = {},
): Promise<void> {
  const kind = extname(path).toLowerCase();
  if (kind !== ".svg" && kind !== ".png") {
    throw new VideomaeError({
      op: `writeLossPlot ${path}`,
      expected: "a name ending in .svg or .png",
      got: `"${kind}"`,
    });
  }
  const svg = lossPlotSvg(points, options);
  const bytes = kind === ".svg" ? svg : await pngOf(svg);
  try {
    await writeFile(path, bytes);
  } catch (cause) {
    const hint = "check that the folder exists and can be written to";
    throw new VideomaeError({ op: `writeLossPlot ${path}`, got: (cause as Error).message, hint, cause });
  }
}

async function pngOf(svg: string): Promise<Buffer> {
  const { default: sharp } = await import("sharp");
  return sharp(Buffer.from(svg), { density: 144 }).png().toBuffer();
}

function summaryOf({ curves: [raw, { values: smooth }] }: Panel): string {
  let lowest = 0;
  for (let i = 0; i < smooth.length; i++) if (smooth[i] < smooth[lowest]) lowest = i;
  const last = raw.values.length - 1;
  const digits = (value: number) => value.toPrecision(4);
  const least = `lowest smoothed ${digits(smooth[lowest])} at step ${raw.steps[lowest]}`;
  return `last ${digits(raw.values[last])} at step ${raw.steps[last]}, ${least}`;
}
