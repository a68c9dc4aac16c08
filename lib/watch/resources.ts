// What the server hands out beside events: the page, its scripts and styles, and the pictures of runs. Everything has a name
// here; no part of a request becomes a path.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { watchPage } from "./watch-page.js";
import type { WatchedFolder } from "./watched-folder.js";

export interface Resource {
  readonly type: string;
  readonly body: string | Uint8Array;
}

const script = "text/javascript; charset=utf-8";
/** Files that do not change, by the path that a browser asks for. Scripts lie as their imports of each other say. */
const files: Readonly<Record<string, { readonly type: string; readonly file: () => string }>> = {
  "/watch/page/main.js": { type: script, file: () => own("./page/main.js") },
  "/watch/page/charts.js": { type: script, file: () => own("./page/charts.js") },
  "/watch/page/points.js": { type: script, file: () => own("./page/points.js") },
  "/log/loss-curve.js": { type: script, file: () => own("../log/loss-curve.js") },
  "/uplot.js": { type: script, file: () => library("uplot/dist/uPlot.iife.min.js") },
  "/uplot.css": { type: "text/css; charset=utf-8", file: () => library("uplot/dist/uPlot.min.css") },
};

/** The resource of that path; undefined where there is none. */
export function resourceAt({ pathname, searchParams }: URL, watched: WatchedFolder): Resource | undefined {
  if (pathname === "/") return { type: "text/html; charset=utf-8", body: watchPage() };
  if (pathname === "/picture") return pictureOf(searchParams, watched);
  if (!Object.hasOwn(files, pathname)) return undefined;
  const { type, file } = files[pathname];
  return { type, body: readFileSync(file()) };
}

function pictureOf(query: URLSearchParams, watched: WatchedFolder): Resource | undefined {
  const stage = query.get("stage") ?? "";
  if (stage !== "" && !watched.has(stage)) return undefined;
  const found = watched.run(stage).events.pictures.find(([name]) => name === query.get("name"));
  const bytes = found?.[1].bytes;
  return bytes !== undefined && isPng(bytes) ? { type: "image/png", body: bytes } : undefined;
}

const PNG = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

function isPng(bytes: Uint8Array): boolean {
  return PNG.equals(bytes.subarray(0, PNG.length));
}

function own(file: string): string {
  return fileURLToPath(new URL(file, import.meta.url));
}

function library(file: string): string {
  return createRequire(import.meta.url).resolve(file);
}
