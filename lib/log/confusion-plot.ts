// A confusion matrix as a picture: rows are the classes of clips, columns what they were taken for, and the shade of a cell
// is the fraction of its row. Names stand beside the rows while they can be read.

import sharp from "sharp";

const SIDE = 720;
const MARGIN = 24;
const FONT = "Inter, 'Helvetica Neue', Helvetica, Arial, 'DejaVu Sans', sans-serif";
const MOST_NAMES = 60;
const MOST_LETTERS = 28;

/**
 * The picture as SVG.
 * @param confusion  (K, K) clips of class i (row) that were taken for class j
 */
export function confusionPlotSvg(confusion: readonly (readonly number[])[], classes: readonly string[]): string {
  const count = classes.length;
  const cell = SIDE / count;
  const size = Math.min(14, cell * 0.7);
  const named = count <= MOST_NAMES;
  const letters = Math.min(MOST_LETTERS, Math.max(...classes.map((name) => name.length)));
  const left = MARGIN + (named ? Math.ceil(letters * size * 0.62) + 8 : 0);
  const [width, height] = [left + SIDE + MARGIN, 2 * MARGIN + SIDE + 24];
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="${FONT}">`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    `<rect x="${left}" y="${MARGIN}" width="${SIDE}" height="${SIDE}" fill="#f4f6f8"/>`,
  ];
  for (const [i, row] of confusion.entries()) {
    const clips = row.reduce((sum, value) => sum + value, 0);
    const y = MARGIN + i * cell;
    for (const [j, taken] of row.entries()) {
      if (taken === 0) continue;
      const fill = i === j ? "#1b5fa8" : "#c0392b";
      const at = `x="${(left + j * cell).toFixed(2)}" y="${y.toFixed(2)}" width="${cell.toFixed(2)}" height="${cell.toFixed(2)}"`;
      parts.push(`<rect ${at} fill="${fill}" fill-opacity="${(taken / clips).toFixed(3)}"/>`);
    }
    if (!named) continue;
    const baseline = (y + cell / 2 + size * 0.35).toFixed(1);
    parts.push(
      `<text x="${left - 8}" y="${baseline}" font-size="${size.toFixed(1)}" fill="#1f2933" text-anchor="end">${label(classes[i])}</text>`,
    );
  }
  const below = `${count} classes; rows: the class of a clip, columns: what it was taken for, in the same order`;
  parts.push(`<text x="${left}" y="${MARGIN + SIDE + 22}" font-size="13" fill="#66727f">${below}</text>`);
  return `${parts.join("\n")}\n</svg>\n`;
}

/** The picture as a PNG file. */
export async function confusionPlotPng(
  confusion: readonly (readonly number[])[],
  classes: readonly string[],
): Promise<Uint8Array> {
  return sharp(Buffer.from(confusionPlotSvg(confusion, classes)))
    .png()
    .toBuffer();
}

function label(name: string): string {
  const short = name.length > MOST_LETTERS ? `${name.slice(0, MOST_LETTERS - 1)}…` : name;
  return short.replace(/[&<>]/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[sign] as string);
}
