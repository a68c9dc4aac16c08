// The loss curve of a run as a picture: raw loss thin and pale, a smoothed one bold, the learning rate in a strip below.
// Smoothing is a straight line fitted to the 3 % of the points around each, which follows a steep start without bias.
// Curves of many points are drawn by the lowest and highest value of each half pixel column, so spikes stay visible and
// the file small. Values far above the curve are cut at the frame; steps whose loss was not finite are marked red on the axis.

import { writeFile } from "node:fs/promises";
import { extname } from "node:path";
import sharp from "sharp";
import { VideomaeError } from "../errors.js";
import { roundTicks, tickLabels } from "./axis.js";

export interface LossPoint {
  /** Optimiser step. */
  readonly step: number;
  readonly loss: number;
  readonly learningRate?: number;
}

export interface LossPlotOptions {
  /** Heading, default "Training loss". */
  readonly title?: string;
}

interface Panel {
  readonly top: number;
  readonly height: number;
  readonly low: number;
  readonly high: number;
}

const WIDTH = 960;
const LEFT = 76;
const RIGHT = 32;
const INNER = WIDTH - LEFT - RIGHT;
const FONT = "Inter, 'Helvetica Neue', Helvetica, Arial, 'DejaVu Sans', sans-serif";
const ink = { text: "#1f2933", muted: "#66727f", grid: "#e6e9ed", raw: "#9fc3e8", smooth: "#1b5fa8", rate: "#c2762b" };

/** Draws points in order of step; at least one must have a finite loss. */
export function lossPlotSvg(points: readonly LossPoint[], { title = "Training loss" }: LossPlotOptions = {}): string {
  const finite = points.filter(({ step, loss }) => Number.isFinite(step) && Number.isFinite(loss));
  if (finite.length === 0) {
    const hint = "wait for the first logged step";
    throw new VideomaeError({ op: "lossPlotSvg", expected: "at least one finite loss", got: "none", hint });
  }
  const sorted = finite.sort((a, b) => a.step - b.step);
  const losses = sorted.map(({ loss }) => loss);
  const range = lossRange(losses);
  const cut = losses.map((loss) => Math.min(loss, range.high)); // one spike must not bend the smoothed curve
  const smooth = localFit(cut, Math.max(3, Math.round(losses.length * 0.015)));
  const rates = sorted.filter(({ learningRate }) => Number.isFinite(learningRate));
  const withRate = rates.length > 1;

  const steps = spread(points.map(({ step }) => step).filter(Number.isFinite));
  const x = (step: number) => LEFT + ((step - steps.low) / (steps.high - steps.low)) * INNER;
  const main: Panel = { top: 72, height: withRate ? 328 : 420, ...range };
  const bottom = withRate ? 520 : main.top + main.height;
  const height = bottom + 60;
  const place = (panel: Panel, at: number) => {
    const share = (at - panel.low) / (panel.high - panel.low);
    return panel.top + panel.height * (1 - Math.min(1.02, Math.max(-0.02, share)));
  };
  const curve = (panel: Panel, values: readonly number[], at: readonly LossPoint[]) =>
    pathOf(values.map((value, i) => [x(at[i].step), place(panel, value)] as const));

  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="${FONT}">`,
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    `<clipPath id="main"><rect x="${LEFT}" y="${main.top}" width="${INNER}" height="${main.height}"/></clipPath>`,
    text(LEFT, 36, title, { size: 20, weight: 600, fill: ink.text }),
    text(LEFT, 57, summary(sorted, smooth), { size: 13, fill: ink.muted }),
    legend(LEFT + INNER, 36),
  ];
  const ticks = roundTicks(steps.low, steps.high, 8);
  const labels = tickLabels(ticks);
  ticks.forEach((step, i) => {
    parts.push(`<path d="M${x(step).toFixed(1)} ${main.top}V${bottom}" stroke="${ink.grid}"/>`);
    parts.push(text(x(step), bottom + 20, labels[i], { size: 13, fill: ink.muted, anchor: "middle" }));
  });
  parts.push(grid(main, place, "loss"));
  const clip = 'clip-path="url(#main)" fill="none" stroke-linejoin="round" stroke-linecap="round"';
  parts.push(`<path ${clip} d="${curve(main, losses, sorted)}" stroke="${ink.raw}" stroke-width="1"/>`);
  parts.push(`<path ${clip} d="${curve(main, smooth, sorted)}" stroke="${ink.smooth}" stroke-width="2.5"/>`);
  if (sorted.length === 1) {
    parts.push(`<circle cx="${x(sorted[0].step)}" cy="${place(main, losses[0])}" r="4" fill="${ink.smooth}"/>`);
  }
  for (const { step, loss } of points) {
    if (Number.isFinite(loss) || !Number.isFinite(step)) continue;
    parts.push(`<path d="M${x(step).toFixed(1)} ${main.top + main.height}v-10" stroke="#c0392b" stroke-width="2"/>`);
  }
  if (withRate) {
    const values = rates.map(({ learningRate }) => learningRate as number);
    const panel: Panel = { top: 432, height: 88, low: 0, high: Math.max(...spreadValues(values)) * 1.08 || 1 };
    parts.push(grid(panel, place, "learning rate", 2));
    parts.push(`<path d="${curve(panel, values, rates)}" fill="none" stroke="${ink.rate}" stroke-width="2"/>`);
  }
  parts.push(text(LEFT + INNER / 2, bottom + 44, "optimiser step", { size: 13, fill: ink.text, anchor: "middle" }));
  return `${parts.join("\n")}\n</svg>\n`;
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
  const bytes = kind === ".svg" ? svg : await sharp(Buffer.from(svg), { density: 144 }).png().toBuffer();
  try {
    await writeFile(path, bytes);
  } catch (cause) {
    const hint = "check that the folder exists and can be written to";
    throw new VideomaeError({ op: `writeLossPlot ${path}`, got: (cause as Error).message, hint, cause });
  }
}

/** At each i the value of the straight line fitted to values[i - reach .. i + reach], as far as there are any. O(n). */
export function localFit(values: readonly number[], reach: number): number[] {
  const sums = new Float64Array(values.length + 1); // of values[j]
  const moments = new Float64Array(values.length + 1); // of j * values[j]
  for (let i = 0; i < values.length; i++) {
    sums[i + 1] = sums[i] + values[i];
    moments[i + 1] = moments[i] + i * values[i];
  }
  return values.map((_, i) => {
    const begin = Math.max(0, i - reach);
    const end = Math.min(values.length, i + reach + 1);
    const count = end - begin;
    const mean = (sums[end] - sums[begin]) / count;
    const centre = (begin + end - 1) / 2;
    const spread = (count * (count * count - 1)) / 12; // sum of (j - centre)^2
    const slope = spread > 0 ? (moments[end] - moments[begin] - centre * count * mean) / spread : 0;
    return mean + slope * (i - centre);
  });
}

/** From the lowest loss to the highest, or to the 99.5 % quantile when the highest stands out of the rest; with a margin. */
function lossRange(losses: readonly number[]): { low: number; high: number } {
  const order = Float64Array.from(losses).sort();
  const [low, highest] = [order[0], order[order.length - 1]];
  const quantile = order[Math.floor((order.length - 1) * 0.995)];
  const top = highest - low > 2 * (quantile - low) ? quantile : highest;
  const margin = 0.06 * (top - low) || Math.abs(top) * 0.1 || 1;
  return { low: low - margin, high: top + margin };
}

function spread(values: readonly number[]): { low: number; high: number } {
  const [low, high] = spreadValues(values);
  return high > low ? { low, high } : { low: low - 1, high: high + 1 };
}

function spreadValues(values: readonly number[]): [low: number, high: number] {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)];
  return [low, high];
}

function pathOf(line: readonly (readonly [x: number, y: number])[]): string {
  const dots = line.length > 4 * INNER ? thin(line) : line;
  return dots.map(([x, y], i) => `${i === 0 ? "M" : "L"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
}

/** Keeps the lowest and highest point of every half pixel column, in order. */
function thin(line: readonly (readonly [x: number, y: number])[]): (readonly [number, number])[] {
  const kept: (readonly [number, number])[] = [];
  for (let begin = 0; begin < line.length; ) {
    const column = Math.floor(2 * line[begin][0]);
    let [low, high, end] = [begin, begin, begin];
    for (; end < line.length && Math.floor(2 * line[end][0]) === column; end++) {
      if (line[end][1] < line[low][1]) low = end;
      if (line[end][1] > line[high][1]) high = end;
    }
    kept.push(line[Math.min(low, high)]);
    if (low !== high) kept.push(line[Math.max(low, high)]);
    begin = end;
  }
  return kept;
}

function grid(panel: Panel, place: (panel: Panel, at: number) => number, label: string, ticks = 6): string {
  const values = roundTicks(panel.low, panel.high, ticks);
  const labels = tickLabels(values);
  const parts = values.flatMap((value, i) => {
    const y = place(panel, value);
    const line = `<path d="M${LEFT} ${y.toFixed(1)}h${INNER}" stroke="${ink.grid}"/>`;
    return [line, text(LEFT - 10, y + 4.5, labels[i], { size: 13, fill: ink.muted, anchor: "end" })];
  });
  const base = panel.top + panel.height;
  parts.push(`<path d="M${LEFT} ${base}h${INNER}" stroke="${ink.muted}"/>`);
  const centre = panel.top + panel.height / 2;
  parts.push(
    `<text transform="translate(18 ${centre}) rotate(-90)" font-size="13" fill="${ink.text}" text-anchor="middle">${label}</text>`,
  );
  return parts.join("\n");
}

function legend(right: number, y: number): string {
  const entry = (x: number, colour: string, width: number, label: string) =>
    `<path d="M${x} ${y - 5}h26" stroke="${colour}" stroke-width="${width}" stroke-linecap="round"/>` +
    text(x + 34, y, label, { size: 13, fill: ink.text });
  return entry(right - 218, ink.raw, 1.5, "each step") + entry(right - 108, ink.smooth, 3, "smoothed");
}

function summary(points: readonly LossPoint[], smooth: readonly number[]): string {
  let lowest = 0;
  for (let i = 0; i < points.length; i++) if (smooth[i] < smooth[lowest]) lowest = i;
  const last = points.length - 1;
  const digits = (value: number) => value.toPrecision(4);
  return `last ${digits(points[last].loss)} at step ${points[last].step}, lowest smoothed ${digits(smooth[lowest])} at step ${points[lowest].step}`;
}

interface TextStyle {
  readonly size: number;
  readonly fill: string;
  readonly weight?: number;
  readonly anchor?: "middle" | "end";
}

function text(x: number, y: number, content: string, { size, fill, weight, anchor }: TextStyle): string {
  const more = `${weight ? ` font-weight="${weight}"` : ""}${anchor ? ` text-anchor="${anchor}"` : ""}`;
  const safe = content.replace(/[&<>]/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[sign] as string);
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" font-size="${size}" fill="${fill}"${more}>${safe}</text>`;
}
