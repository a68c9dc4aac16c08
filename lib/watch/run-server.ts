// The server of `videomae watch`: a page that shows a run while it goes on. It reads, and changes nothing.
//
// There is no password, so it listens on loopback unless told otherwise, and there answers only those who call it by a
// loopback name: a page of elsewhere whose name is made to point here (DNS rebinding) is refused.

import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { VideomaeError } from "../errors.js";
import { type Resource, resourceAt } from "./resources.js";
import { Subscriber } from "./subscriber.js";
import { POLICY } from "./watch-page.js";
import type { RunWatch, WatchOptions } from "./watch-run.js";
import { WatchedFolder } from "./watched-folder.js";

const BEAT_MS = 15_000;
/** So long a page has to take its last bytes. */
const LINGER_MS = 500;

/** Of every answer: the page asks nobody else, nobody shows it as theirs, and nothing is kept. */
const headers = {
  "content-security-policy": `${POLICY}; frame-ancestors 'none'`,
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
  "cache-control": "no-store",
};

/** @throws VideomaeError when the address cannot be listened on */
export async function serveRun(folder: string, { host, port, pollMs }: Required<WatchOptions>): Promise<RunWatch> {
  const id = randomUUID();
  const loopback = isLoopback(host);
  const subscribers = new Set<Subscriber>();
  const server = createServer((request, response) => {
    const answer = answerTo(request, loopback, watched);
    if (answer !== "events") return send(request, response, answer);
    const stage = requestUrl(request)?.searchParams.get("stage") ?? undefined;
    response.writeHead(200, { ...headers, "content-type": "text/event-stream", connection: "close" });
    const subscriber = new Subscriber(response, watched, stage, id);
    subscribers.add(subscriber);
    response.on("close", () => subscribers.delete(subscriber));
    subscriber.update();
  });
  await listen(server, host, port);
  const watched = new WatchedFolder(folder, () => each(subscribers, (subscriber) => subscriber.update()), pollMs);
  const beat = setInterval(() => each(subscribers, (subscriber) => subscriber.beat()), BEAT_MS);
  return {
    ...{ url: urlOf(host, (server.address() as AddressInfo).port), loopback },
    close: async () => {
      clearInterval(beat);
      watched[Symbol.dispose]();
      const closed = new Promise((resolve) => server.close(resolve));
      each(subscribers, (subscriber) => subscriber.end());
      const late = setTimeout(() => server.closeAllConnections(), LINGER_MS);
      await closed;
      clearTimeout(late);
    },
  };
}

/** A copy, as telling may end some. */
function each<T>(set: ReadonlySet<T>, tell: (item: T) => void): void {
  for (const item of [...set]) tell(item);
}

interface Refusal extends Resource {
  readonly status: number;
}

function answerTo(request: IncomingMessage, loopback: boolean, watched: WatchedFolder): Resource | Refusal | "events" {
  const url = requestUrl(request);
  if (url === undefined) return refusal(400, "This is no request that a browser makes.");
  if (loopback && !isLoopback(url.hostname)) {
    return refusal(403, "This page is served to this machine only, by the name localhost or 127.0.0.1.");
  }
  if (request.method !== "GET" && request.method !== "HEAD") return refusal(405, "Here is only something to read.");
  if (url.pathname === "/events" && request.method === "GET") {
    const stage = url.searchParams.get("stage");
    return stage === null || watched.has(stage) ? "events" : refusal(404, "There is no such stage.");
  }
  return resourceAt(url, watched) ?? refusal(404, "There is nothing of this name.");
}

function refusal(status: number, text: string): Refusal {
  return { status, type: "text/plain; charset=utf-8", body: `${text}\n` };
}

function send(request: IncomingMessage, response: ServerResponse, answer: Resource | Refusal): void {
  const status = "status" in answer ? answer.status : 200;
  const allow = status === 405 ? { allow: "GET, HEAD" } : {};
  response.writeHead(status, {
    ...{ ...headers, ...allow, "content-type": answer.type },
    "content-length": Buffer.byteLength(answer.body),
  });
  response.end(request.method === "HEAD" ? undefined : answer.body);
}

/** With the name that the server was called by; undefined where it is none. */
function requestUrl({ url = "", headers }: IncomingMessage): URL | undefined {
  const { host } = headers;
  if (host === undefined || !url.startsWith("/") || /[/\\@?#\s]/.test(host)) return undefined;
  try {
    return new URL(`http://${host}${url}`);
  } catch {
    return undefined;
  }
}

function isLoopback(host: string): boolean {
  return /^(localhost|(.+\.)?localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/i.test(host);
}

function urlOf(host: string, port: number): string {
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}/`;
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => reject(listenError(cause, host, port)));
    server.listen(port, host, () => resolve());
  });
}

function listenError(cause: NodeJS.ErrnoException, host: string, port: number): VideomaeError {
  const op = `watch on ${urlOf(host, port)}`;
  if (cause.code === "EADDRINUSE") {
    const hint = "another watch may have it; choose one with --port, or --port 0 for any that is free";
    return new VideomaeError({ op, expected: "a free port", got: "one in use", hint, cause });
  }
  if (cause.code === "EACCES") {
    const hint = "choose one above 1023 with --port";
    return new VideomaeError({ op, expected: "a port that you may use", got: `${port}`, hint, cause });
  }
  const hint = "choose an address of this machine with --host, such as 127.0.0.1";
  return new VideomaeError({ op, expected: "an address of this machine", got: cause.message, hint, cause });
}
