// Curves over optimiser steps as SVG: panels one below the other over one axis of steps. Curves of many points are drawn
// by the lowest and highest value of each half pixel column, so spikes stay visible and the file small. Values outside a
// panel's range are cut at its frame.

import { roundTicks, tickLabels } from "./axis.js";

/** The colours of a plot: of whatever SVG takes, so a page can give custom properties of its style. */
export interface PlotInk {
  readonly paper: string;
  readonly text: string;
  readonly muted: string;
  readonly grid: string;
  readonly alert: string;
}

export const paperInk: PlotInk = {
  paper: "#ffffff",
  text: "#1f2933",
  muted: "#66727f",
  grid: "#e6e9ed",
  alert: "#c0392b",
};

/** One curve; its points are in order of step. */
export interface Curve {
  readonly label: string;
  readonly steps: readonly number[];
  readonly values: readonly number[];
  readonly colour: string;
  /** Of the line, in pixels. */
  readonly width: number;
}

export interface Range {
  readonly low: number;
  readonly high: number;
}

/** One panel: its axis and its curves. */
export interface Panel {
  readonly label: string;
  /** In pixels. */
  readonly height: number;
  readonly range: Range;
  readonly curves: readonly Curve[];
  /** About how many ticks its axis has. */
  readonly ticks?: number;
  /** Steps that are marked on the axis. */
  readonly alerts?: readonly number[];
}

export interface LinePlotOptions {
  readonly title?: string;
  /** A line below the title. */
  readonly summary?: string;
  readonly ink?: PlotInk;
  /** Tells the plots of one page apart. */
  readonly id?: string;
}

interface Placed extends Panel {
  readonly top: number;
}

const WIDTH = 960;
const LEFT = 76;
const RIGHT = 32;
const INNER = WIDTH - LEFT - RIGHT;
const GAP = 32;
export const FONT = "Inter, 'Helvetica Neue', Helvetica, Arial, 'DejaVu Sans', sans-serif";

/** Draws panels of at least one point. */
export function linePlotSvg(panels: readonly Panel[], options: LinePlotOptions = {}): string {
  const { title, summary, ink = paperInk, id = "plot" } = options;
  const head = title === undefined ? 24 : 72;
  let below = head;
  const placed = panels.map((panel): Placed => {
    const top = below;
    below += panel.height + GAP;
    return { ...panel, top };
  });
  const bottom = below - GAP;
  const height = bottom + 60;
  const steps = spread(panels.flatMap(({ curves, alerts = [] }) => [...curves.flatMap((c) => c.steps), ...alerts]));
  const x = (step: number) => LEFT + ((step - steps.low) / (steps.high - steps.low)) * INNER;

  const size = `viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}"`;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" ${size} font-family="${FONT}">`,
    `<rect width="${WIDTH}" height="${height}" fill="${ink.paper}"/>`,
  ];
  if (title !== undefined) parts.push(text(LEFT, 36, title, { size: 20, weight: 600, fill: ink.text }));
  if (summary !== undefined) parts.push(text(LEFT, 57, summary, { size: 13, fill: ink.muted }));
  const ticks = roundTicks(steps.low, steps.high, 8);
  const labels = tickLabels(ticks);
  for (const [i, step] of ticks.entries()) {
    for (const { top, height: tall } of placed) {
      parts.push(`<path d="M${x(step).toFixed(1)} ${top}v${tall}" stroke="${ink.grid}"/>`);
    }
    parts.push(text(x(step), bottom + 20, labels[i], { size: 13, fill: ink.muted, anchor: "middle" }));
  }
  for (const [i, panel] of placed.entries()) parts.push(...drawPanel(panel, `${id}-${i}`, x, ink));
  parts.push(text(LEFT + INNER / 2, bottom + 44, "optimiser step", { size: 13, fill: ink.text, anchor: "middle" }));
  return `${parts.join("\n")}\n</svg>\n`;
}

function drawPanel(panel: Placed, id: string, x: (step: number) => number, ink: PlotInk): string[] {
  const { top, height, curves, alerts = [] } = panel;
  const y = (value: number) => place(panel, value);
  const clip = `clip-path="url(#${id})" fill="none" stroke-linejoin="round" stroke-linecap="round"`;
  const parts = [
    `<clipPath id="${id}"><rect x="${LEFT}" y="${top}" width="${INNER}" height="${height}"/></clipPath>`,
    grid(panel, ink),
    legend(curves, top - 8, ink),
  ];
  for (const { steps, values, colour, width } of curves) {
    if (steps.length === 1) {
      parts.push(`<circle cx="${x(steps[0]).toFixed(1)}" cy="${y(values[0]).toFixed(1)}" r="4" fill="${colour}"/>`);
    } else {
      const line = pathOf(values.map((value, i) => [x(steps[i]), y(value)] as const));
      parts.push(`<path ${clip} d="${line}" stroke="${colour}" stroke-width="${width}"/>`);
    }
  }
  for (const step of alerts) {
    parts.push(`<path d="M${x(step).toFixed(1)} ${top + height}v-10" stroke="${ink.alert}" stroke-width="2"/>`);
  }
  return parts;
}

/** Where a value stands; those outside the range just outside the frame. */
function place({ top, height, range: { low, high } }: Placed, value: number): number {
  const share = (value - low) / (high - low);
  return top + height * (1 - Math.min(1.02, Math.max(-0.02, share)));
}

function grid(panel: Placed, ink: PlotInk): string {
  const { top, height, label, range, ticks = 6 } = panel;
  const values = roundTicks(range.low, range.high, ticks);
  const labels = tickLabels(values);
  const parts = values.flatMap((value, i) => {
    const y = place(panel, value);
    const line = `<path d="M${LEFT} ${y.toFixed(1)}h${INNER}" stroke="${ink.grid}"/>`;
    return [line, text(LEFT - 10, y + 4.5, labels[i], { size: 13, fill: ink.muted, anchor: "end" })];
  });
  const [base, centre] = [top + height, top + height / 2];
  parts.push(`<path d="M${LEFT} ${base}h${INNER}" stroke="${ink.muted}"/>`);
  const turned = `transform="translate(18 ${centre}) rotate(-90)" font-size="13" text-anchor="middle"`;
  parts.push(`<text ${turned} fill="${ink.text}">${escaped(label)}</text>`);
  return parts.join("\n");
}

/** Names of the curves, above the panel at the right, where there are several. */
function legend(curves: readonly Curve[], y: number, ink: PlotInk): string {
  if (curves.length < 2) return "";
  const width = (label: string) => 58 + 7 * label.length;
  let x = LEFT + INNER - curves.reduce((sum, { label }) => sum + width(label), 0) + 24;
  return curves
    .map(({ label, colour, width: stroke }) => {
      const line = `<path d="M${x} ${y - 5}h26" stroke="${colour}" stroke-width="${stroke + 0.5}" stroke-linecap="round"/>`;
      const entry = line + text(x + 34, y, label, { size: 13, fill: ink.text });
      x += width(label);
      return entry;
    })
    .join("");
}

/** The least and the greatest of some numbers; a range around them where they are one. */
export function spread(values: readonly number[]): Range {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)];
  return high > low ? { low, high } : { low: low - 1, high: high + 1 };
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

interface TextStyle {
  readonly size: number;
  readonly fill: string;
  readonly weight?: number;
  readonly anchor?: "middle" | "end";
}

function text(x: number, y: number, content: string, { size, fill, weight, anchor }: TextStyle): string {
  const more = `${weight ? ` font-weight="${weight}"` : ""}${anchor ? ` text-anchor="${anchor}"` : ""}`;
  const at = `x="${x.toFixed(1)}" y="${y.toFixed(1)}"`;
  return `<text ${at} font-size="${size}" fill="${fill}"${more}>${escaped(content)}</text>`;
}

/** Text as it stands in SVG and HTML, also inside a quoted attribute. */
export function escaped(content: string): string {
  const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
  return content.replace(/[&<>"']/g, (sign) => entities[sign]);
}
