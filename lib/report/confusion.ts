// What a classifier takes for what: every class with its accuracy, the matrix as a heat map, and the pairs that are
// confused most often.

import { type Html, html } from "./html.js";
import { folded } from "./page.js";

/** A classifier's outcomes on a test set. */
export interface Outcomes {
  /** Names of the K classes. */
  readonly classes: readonly string[];
  /** (K, K) Clips of class i (row) that were taken for class j. */
  readonly confusion: readonly (readonly number[])[];
}

/** Beyond so many classes their table is folded away, numbers are left out of the cells, and names out of the matrix. */
const MOST_OPEN = 24;
const MOST_WITH_NUMBERS = 24;
const MOST_WITH_NAMES = 60;
const MOST_PAIRS = 12;

/** The table of classes, the matrix, and the confused pairs. */
export function outcomesOf({ classes, confusion }: Outcomes): Html {
  return html`${classTable(classes, confusion)}${matrix(classes, confusion)}${pairs(classes, confusion)}`;
}

function classTable(classes: Outcomes["classes"], confusion: Outcomes["confusion"]): Html {
  const rows = classes.flatMap((name, k) => {
    const clips = total(confusion[k]);
    if (clips === 0) return [];
    const share = (100 * confusion[k][k]) / clips;
    return html`<tr><td>${name}</td><td class="number">${confusion[k][k]} of ${clips}</td>
<td class="number">${share.toFixed(1)} %</td><td><div class="bar"><span style="width:${share.toFixed(1)}%"></span></div></td></tr>`;
  });
  const table = html`<table><tbody>${rows}</tbody></table>`;
  return rows.length > MOST_OPEN
    ? folded(`Accuracy of each of ${rows.length} classes`, table)
    : html`<h3>Accuracy of each class</h3>${table}`;
}

function matrix(classes: Outcomes["classes"], confusion: Outcomes["confusion"]): Html {
  const count = classes.length;
  const named = count <= MOST_WITH_NAMES;
  const numbered = count <= MOST_WITH_NUMBERS;
  const cell = numbered ? 34 : Math.max(2, Math.floor(760 / count));
  const label = named ? 16 + 7 * Math.max(...classes.map((name) => Math.min(24, name.length))) : 16;
  const side = count * cell;
  const size = Math.min(13, cell);
  const cells = confusion.flatMap((row, i) => {
    const clips = total(row);
    return row.flatMap((clipsOfPair, j) => {
      if (clipsOfPair === 0) return [];
      const share = clipsOfPair / clips;
      const [x, y] = [label + j * cell, label + i * cell];
      const title = `${classes[i]} taken for ${classes[j]}: ${clipsOfPair} of ${clips}`;
      const number =
        numbered &&
        html`<text x="${x + cell / 2}" y="${y + cell / 2 + 4.5}" text-anchor="middle" fill="${share > 0.55 ? "var(--card)" : "var(--text)"}">${clipsOfPair}</text>`;
      return html`<g><title>${title}</title><rect x="${x}" y="${y}" width="${cell}" height="${cell}" fill="rgba(var(--cell), ${(0.08 + 0.92 * share).toFixed(3)})"/>${number || undefined}</g>`;
    });
  });
  const names = named
    ? classes.map((name, k) => {
        const at = label + k * cell + cell / 2;
        const shown = name.length > 24 ? `${name.slice(0, 23)}…` : name;
        return html`<text x="${label - 8}" y="${at + size / 3}" text-anchor="end">${shown}</text>
<text transform="translate(${at + size / 3} ${label - 8}) rotate(-90)">${shown}</text>`;
      })
    : [];
  const whole = label + side + 8;
  return html`<h3>What is taken for what</h3><figure>
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${whole} ${whole}" width="${whole}" height="${whole}" font-size="${size}" fill="var(--text)">
<rect x="${label}" y="${label}" width="${side}" height="${side}" fill="none" stroke="var(--line)"/>
${cells}${names}</svg>
<figcaption>Rows are true classes, columns what they were taken for; the shade is the share of the row.</figcaption></figure>`;
}

function pairs(classes: Outcomes["classes"], confusion: Outcomes["confusion"]): Html | undefined {
  const wrong = confusion
    .flatMap((row, i) => row.map((clips, j) => ({ i, j, clips, share: clips / total(row) })))
    .filter(({ i, j, clips }) => i !== j && clips > 0)
    .sort((a, b) => b.clips - a.clips || b.share - a.share)
    .slice(0, MOST_PAIRS);
  if (wrong.length === 0) return undefined;
  const rows = wrong.map(
    ({ i, j, clips, share }) =>
      html`<tr><td>${classes[i]}</td><td>${classes[j]}</td><td class="number">${clips}</td><td class="number">${(100 * share).toFixed(1)} %</td></tr>`,
  );
  return html`<h3>Confused most often</h3><table><thead><tr><th>true class</th><th>taken for</th>
<th class="number">clips</th><th class="number">of the class</th></tr></thead><tbody>${rows}</tbody></table>`;
}

function total(row: readonly number[]): number {
  return row.reduce((sum, count) => sum + count, 0);
}
