// The page of `videomae watch` before anything is known: its places, its style, and what it loads from the same server. All
// else comes by events.

import { html, Html as RawHtml } from "../report/html.js";
import { page } from "../report/page.js";

/** What a browser may do with the page: nothing but ask this server. Styles are inside, as in a report. */
export const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

const style = `
header p { overflow-wrap: anywhere; }
nav ul { list-style: none; display: flex; flex-wrap: wrap; gap: 4px 20px; margin: 12px 0 0; padding: 0; }
.status { margin: 16px 0; padding: 10px 14px; background: var(--card); border: 1px solid var(--line); border-left: 4px solid var(--accent); border-radius: 10px; overflow-wrap: anywhere; }
.status.lost { border-left-color: var(--alert); }
.status p { margin: 0; }
#connection:empty { display: none; }
#connection { color: var(--alert); }
#problems ul { margin: 16px 0; padding: 10px 14px 10px 32px; background: var(--card); border: 1px solid var(--alert); border-radius: 10px; }
#problems li { overflow-wrap: anywhere; }
progress { width: 100%; height: 8px; border: 0; border-radius: 4px; background: var(--grid); accent-color: var(--accent); appearance: none; overflow: hidden; display: block; }
progress::-webkit-progress-bar { background: var(--grid); }
progress::-webkit-progress-value { background: var(--accent); }
progress::-moz-progress-bar { background: var(--accent); }
.facts { gap: 8px; grid-template-columns: repeat(auto-fit, minmax(128px, 1fr)); }
.facts div { padding: 8px 12px; }
.facts dd { font-size: 18px; }
#charts { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 12px; }
#charts figure { margin: 0; min-width: 0; overflow: hidden; }
#charts figure.wide { grid-column: 1 / -1; }
#charts figcaption { margin: 0 0 4px; color: var(--text); font-weight: 500; }
#charts .plot { min-width: 0; }
#charts [hidden] { display: none; }
.uplot { font-family: inherit; }
.u-legend { font-size: 12px; color: var(--muted); font-variant-numeric: tabular-nums; }
.u-legend .unlisted { display: none; }
.u-legend th, .u-legend td { border: 0; padding: 0 4px 0 0; font-size: 12px; color: inherit; }
.u-hz .u-cursor-x, .u-vt .u-cursor-y { border-right-color: var(--muted); }
.u-select { background: var(--pale); opacity: 0.3; }
@media (max-width: 700px) {
  body { padding: 20px 12px 40px; }
  h1 { font-size: 22px; }
  #charts { grid-template-columns: minmax(0, 1fr); }
  #pictures .sheet { max-width: none; width: 680px; }
  figure { padding: 8px; }
  .facts { grid-template-columns: repeat(auto-fit, minmax(104px, 1fr)); }
  .facts dd { font-size: 16px; }
  #details th, #details td { display: block; padding-right: 0; }
  #details th { border-bottom: 0; padding-bottom: 0; }
}
`;

/** No tagged template: a bundler turns those that hold this end tag into calls of a library that is not here. */
const scripts = `<script src="/uplot.js" defer></script>
<script src="/watch/page/main.js" type="module"></script>`;

/** The whole document. */
export function watchPage(): string {
  const head = html`<link rel="icon" href="data:,">
<link rel="stylesheet" href="/uplot.css">
<style>${new RawHtml(style)}</style>
${new RawHtml(scripts)}`;
  const body = html`<header id="title"><h1>videomae watch</h1></header>
<nav id="stages" aria-label="stages"></nav>
<div class="status" role="status" aria-live="polite"><p id="state">Connecting</p><p id="connection"></p></div>
<noscript><p>This page needs its script, which comes from the same server.</p></noscript>
<section id="problems" aria-label="what cannot be read"></section>
<section id="facts" aria-label="numbers of the last update"></section>
<section id="charts" aria-label="curves"></section>
<section id="pictures" aria-label="pictures"></section>
<section id="outcomes" aria-label="last validation"></section>
<details><summary>Notes, options, machine</summary><div id="details"></div></details>`;
  return page("videomae watch", body, { policy: POLICY, head });
}
