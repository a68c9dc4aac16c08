// What a classifier takes for what: every class with its accuracy, the matrix, and the pairs that are confused most often.

import { confusionPlotSvg } from "../log/confusion-plot.js";
import { type Html, html, Html as RawHtml } from "./html.js";
import type { Outcomes } from "./outcomes.js";
import { folded, pageInk } from "./page.js";

/** Beyond so many classes their table is folded away. */
const MOST_OPEN = 24;
const MOST_PAIRS = 12;
const matrixInk = { ...pageInk, right: "var(--accent)", onShade: "var(--card)" };

/** The table of classes, the matrix, and the confused pairs. */
export function outcomesOf({ classes, confusion, step }: Outcomes): Html {
  const names = classes.map(({ name }) => name);
  const matrix = new RawHtml(confusionPlotSvg(confusion, names, matrixInk));
  return html`${classTable(classes)}<h3>What is taken for what</h3><figure>${matrix}
<figcaption>Rows are the classes of clips, columns what they were taken for, after update ${step}; the shade is the share of
the row.</figcaption></figure>${pairTable(names, confusion)}`;
}

function classTable(classes: Outcomes["classes"]): Html {
  const rows = classes.flatMap(({ name, clips, correct }) => {
    if (clips === 0) return [];
    const share = `${((100 * correct) / clips).toFixed(1)}`;
    return html`<tr><td>${name}</td><td class="number">${correct} of ${clips}</td>
<td class="number">${share} %</td><td><div class="bar"><span style="width:${share}%"></span></div></td></tr>`;
  });
  const table = html`<table><tbody>${rows}</tbody></table>`;
  return rows.length > MOST_OPEN
    ? folded(`Accuracy of each of ${rows.length} classes`, table)
    : html`<h3>Accuracy of each class</h3>${table}`;
}

function pairTable(names: readonly string[], confusion: Outcomes["confusion"]): Html | undefined {
  const wrong = confusion
    .flatMap((row, i) => {
      const total = row.reduce((sum, clips) => sum + clips, 0);
      return row.map((clips, j) => ({ i, j, clips, share: clips / total }));
    })
    .filter(({ i, j, clips }) => i !== j && clips > 0)
    .sort((a, b) => b.clips - a.clips || b.share - a.share)
    .slice(0, MOST_PAIRS);
  if (wrong.length === 0) return undefined;
  const rows = wrong.map(
    ({ i, j, clips, share }) => html`<tr><td>${names[i]}</td><td>${names[j]}</td>
<td class="number">${clips}</td><td class="number">${(100 * share).toFixed(1)} %</td></tr>`,
  );
  return html`<h3>Confused most often</h3><table><thead><tr><th>class</th><th>taken for</th>
<th class="number">clips</th><th class="number">of the class</th></tr></thead><tbody>${rows}</tbody></table>`;
}
