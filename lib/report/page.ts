// A page that is one file: its style inside, pictures as data, no script, and a policy that forbids the browser to ask
// anyone for anything. It follows the reader's choice of light and dark, and can be printed.

import type { PlotInk } from "../log/line-plot.js";
import { type Html, html, Html as RawHtml } from "./html.js";

const style = `
:root {
  color-scheme: light dark;
  --paper: #fbfbfa; --card: #ffffff; --text: #1c2430; --muted: #667180; --line: #e3e6ea; --grid: #eceef1;
  --accent: #1b5fa8; --pale: #9fc3e8; --warm: #b8651b; --green: #2c7a57; --alert: #c0392b;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171c; --card: #1b2027; --text: #e4e8ee; --muted: #96a1af; --line: #2d343e; --grid: #262c35;
    --accent: #6fb1f2; --pale: #31567d; --warm: #e09a55; --green: #5fc598; --alert: #ef6f61;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; max-width: 1080px; padding: 40px 24px 64px; background: var(--paper); color: var(--text);
  font: 15px/1.5 Inter, system-ui, "Helvetica Neue", Arial, sans-serif;
}
h1 { margin: 0; font-size: 28px; line-height: 1.2; letter-spacing: -0.01em; overflow-wrap: anywhere; }
h2 { margin: 48px 0 12px; font-size: 20px; }
h3 { margin: 24px 0 8px; font-size: 15px; }
p { margin: 6px 0; }
a { color: var(--accent); }
.muted { color: var(--muted); }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin: 20px 0; padding: 0; }
.facts div { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 12px 14px; }
.facts dt { color: var(--muted); font-size: 13px; }
.facts dd { margin: 2px 0 0; font-size: 20px; font-weight: 600; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
figure { margin: 16px 0; background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 12px; overflow-x: auto; }
figure svg, figure img { display: block; max-width: 100%; height: auto; margin: 0 auto; }
figcaption { color: var(--muted); font-size: 13px; margin-top: 8px; overflow-wrap: anywhere; }
.pictures { display: grid; grid-template-columns: repeat(auto-fit, minmax(400px, 1fr)); gap: 16px; }
.pictures figure { margin: 0; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 6px 12px 6px 0; border-bottom: 1px solid var(--line); vertical-align: top; overflow-wrap: anywhere; }
th { color: var(--muted); font-weight: 500; font-size: 13px; }
td.number, th.number { text-align: right; white-space: nowrap; }
.bar { background: var(--grid); border-radius: 4px; height: 10px; min-width: 120px; margin-top: 7px; }
.bar span { display: block; height: 10px; border-radius: 4px; background: var(--accent); }
details { margin: 12px 0; background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 10px 14px; }
summary { cursor: pointer; font-weight: 500; }
details[open] summary { margin-bottom: 8px; }
code, pre { font: 13px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
@media print { details { break-inside: avoid; } figure { break-inside: avoid; } }
@media (max-width: 480px) { .pictures { grid-template-columns: 1fr; } }
`;

/** Colours of plots by the custom properties of the style, so that they follow light and dark. */
export const pageInk: PlotInk = {
  paper: "none",
  text: "var(--text)",
  muted: "var(--muted)",
  grid: "var(--grid)",
  alert: "var(--alert)",
};

export interface PageOptions {
  /** What the browser may load, as a content security policy; default nothing but what is in the page. */
  readonly policy?: string;
  /** More of the head, behind the style. */
  readonly head?: Html;
}

/** The whole document. */
export function page(title: string, body: Html, options: PageOptions = {}): string {
  const { policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:", head } = options;
  const document = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<title>${title}</title>
<style>${new RawHtml(style)}</style>
${head}
</head>
<body>
${body}
</body>
</html>
`;
  return document.source;
}

/** A few numbers that count, each under its name. */
export function facts(list: readonly (readonly [name: string, value: string | undefined])[]): Html {
  const known = list.filter(([, value]) => value !== undefined);
  return html`<dl class="facts">${known.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

/** Names and values, one a line. */
export function nameTable(rows: readonly (readonly [name: string, value: string])[]): Html {
  return html`<table><tbody>${rows.map(([name, value]) => html`<tr><th>${name}</th><td>${value}</td></tr>`)}</tbody></table>`;
}

/** What is folded away until it is asked for. */
export function folded(summary: string, body: Html): Html {
  return html`<details><summary>${summary}</summary>${body}</details>`;
}
