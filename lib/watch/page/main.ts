/// <reference lib="dom" />
// The script of the page: it takes the server's events, puts HTML in its places and points into the curves. Where the
// connection is lost, the browser tries again, and the first messages then bring all that is known.

import type { Messages, SeriesName } from "../messages.js";
import { makeCharts } from "./charts.js";
import { type Points, takeParts } from "./points.js";

const RETRY_MS = 2000;

const known = new Map<SeriesName, Points>();
const charts = makeCharts(placeOf("charts"));
let skipped: readonly number[] = [];
let server: string | undefined;
let pending = false;

connect();

function connect(): void {
  const stage = new URLSearchParams(location.search).get("stage");
  const source = new EventSource(stage === null ? "/events" : `/events?stage=${encodeURIComponent(stage)}`);
  const on = <E extends keyof Messages>(event: E, take: (data: Messages[E]) => void) =>
    source.addEventListener(event, ({ data }: MessageEvent<string>) => take(JSON.parse(data)));
  on("hello", (message) => {
    // Another server may be of another version, and then its script is another one too.
    if (server !== undefined && server !== message.server) location.reload();
    server = message.server;
    known.clear();
    tellConnection("");
  });
  on("sections", takeSections);
  on("curves", takeCurves);
  on("bye", () => tellConnection("The watch has been ended. When it is started again, this page goes on."));
  source.addEventListener("error", () => {
    if (placeOf("connection").textContent === "") tellConnection("No connection to videomae watch; trying again.");
    if (source.readyState !== EventSource.CLOSED) return;
    setTimeout(connect, RETRY_MS); // refused, which a browser does not try again by itself
  });
}

function takeSections({ window, changed }: Messages["sections"]): void {
  document.title = window;
  for (const [name, source] of Object.entries(changed)) placeOf(name).innerHTML = source;
}

function takeCurves({ anew, series, skipped: marked }: Messages["curves"]): void {
  if (anew) known.clear();
  skipped = marked;
  takeParts(known, series);
  if (pending) return;
  pending = true;
  requestAnimationFrame(() => {
    pending = false;
    for (const chart of charts) chart.update(known, skipped);
  });
}

function tellConnection(text: string): void {
  placeOf("connection").textContent = text;
  document.querySelector(".status")!.classList.toggle("lost", text !== "");
}

function placeOf(id: string): HTMLElement {
  return document.getElementById(id)!;
}
