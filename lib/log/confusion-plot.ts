// A confusion matrix as a picture: rows are the classes of clips, columns what they were taken for, and the shade of a cell
// is the fraction of its row. Names stand at rows and columns, and numbers in the cells, while they can be read.

import type { EncodedPicture } from "./event-file.js";
import { escaped, FONT, type PlotInk, paperInk } from "./line-plot.js";

const LARGEST_CELL = 36;
const SIDE = 720;
const MARGIN = 16;
const MOST_NUMBERS = 24;
const MOST_NAMES = 60;
const MOST_LETTERS = 24;

/** The colours: also of what was recognised, and of numbers in cells of full shade. */
export interface ConfusionInk extends PlotInk {
  readonly right: string;
  readonly onShade: string;
}

/**
 * The picture as SVG.
 * @param confusion  (K, K) clips of class i (row) that were taken for class j
 * @param classes  names of the K classes
 */
export function confusionPlotSvg(
  confusion: readonly (readonly number[])[],
  classes: readonly string[],
  ink: ConfusionInk = { ...paperInk, right: "#1b5fa8", onShade: "#ffffff" },
): string {
  const count = classes.length;
  const cell = Math.min(LARGEST_CELL, SIDE / count);
  const size = Math.min(13, cell * 0.7);
  const names = count <= MOST_NAMES ? classes.map(shortened) : undefined;
  const letters = Math.max(0, ...(names ?? []).map((name) => name.length));
  const start = MARGIN + (names ? Math.ceil(letters * size * 0.62) + 8 : 0);
  const side = cell * count;
  const whole = Math.ceil(start + side + MARGIN);
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${whole} ${whole}" width="${whole}" height="${whole}" font-family="${FONT}" font-size="${size.toFixed(1)}" fill="${ink.text}">`,
    `<rect width="${whole}" height="${whole}" fill="${ink.paper}"/>`,
    `<rect x="${start}" y="${start}" width="${side}" height="${side}" fill="${ink.grid}"/>`,
  ];
  const at = (k: number) => start + k * cell;
  for (const [i, row] of confusion.entries()) {
    const clips = row.reduce((sum, value) => sum + value, 0);
    for (const [j, taken] of row.entries()) {
      if (taken === 0) continue;
      const title = `${classes[i]} taken for ${classes[j]}: ${taken} of ${clips}`;
      const place = `x="${at(j).toFixed(2)}" y="${at(i).toFixed(2)}" width="${cell.toFixed(2)}" height="${cell.toFixed(2)}"`;
      const shade = `fill="${i === j ? ink.right : ink.alert}" fill-opacity="${(taken / clips).toFixed(3)}"`;
      parts.push(`<g><title>${escaped(title)}</title><rect ${place} ${shade}/>`);
      if (count <= MOST_NUMBERS) {
        const colour = taken > clips / 2 ? ink.onShade : ink.text;
        const middle = `x="${(at(j) + cell / 2).toFixed(1)}" y="${(at(i) + cell / 2 + size / 3).toFixed(1)}"`;
        parts.push(`<text ${middle} text-anchor="middle" fill="${colour}">${taken}</text>`);
      }
      parts.push("</g>");
    }
  }
  for (const [k, name] of (names ?? []).entries()) {
    const middle = (at(k) + cell / 2 + size / 3).toFixed(1);
    parts.push(`<text x="${start - 8}" y="${middle}" text-anchor="end">${escaped(name)}</text>`);
    parts.push(`<text transform="translate(${middle} ${start - 8}) rotate(-90)">${escaped(name)}</text>`);
  }
  return `${parts.join("\n")}\n</svg>\n`;
}

/** The picture as a PNG. */
export async function drawConfusion(
  confusion: readonly (readonly number[])[],
  classes: readonly string[],
): Promise<EncodedPicture> {
  const { default: sharp } = await import("sharp");
  const svg = Buffer.from(confusionPlotSvg(confusion, classes));
  const { data, info } = await sharp(svg, { density: 144 }).png().toBuffer({ resolveWithObject: true });
  return { bytes: data, width: info.width, height: info.height };
}

function shortened(name: string): string {
  return name.length > MOST_LETTERS ? `${name.slice(0, MOST_LETTERS - 1)}…` : name;
}
