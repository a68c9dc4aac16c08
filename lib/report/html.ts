// HTML as a tagged template: what is put into it is text, and escaped, unless it is HTML already.
//
//   html`<td>${name}</td>${rows.map((row) => html`<tr>${row}</tr>`)}`

import { escaped } from "../log/line-plot.js";

/** A piece of HTML, whole elements or none. */
export class Html {
  readonly source: string;

  constructor(source: string) {
    this.source = source;
  }
}

/** What may be put into a template. Of undefined and an empty list nothing is seen. */
export type HtmlContent = Html | string | number | undefined | readonly HtmlContent[];

export function html(parts: TemplateStringsArray, ...contents: readonly HtmlContent[]): Html {
  return new Html(parts.reduce((source, part, i) => source + sourceOf(contents[i - 1]) + part));
}

function sourceOf(content: HtmlContent): string {
  if (content === undefined) return "";
  if (content instanceof Html) return content.source;
  if (typeof content === "object") return content.map(sourceOf).join("");
  return escaped(String(content));
}
