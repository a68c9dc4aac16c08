// `videomae watch`: a page that shows a run while it goes on. What serves it is loaded when it is asked for.

import { statSync } from "node:fs";
import { VideomaeError } from "../errors.js";

/** Where the page of a run is served. */
export interface WatchOptions {
  /** Address to listen on; default 127.0.0.1. */
  readonly host?: string;
  /** Default 6270; 0 takes any that is free. */
  readonly port?: number;
  /** Milliseconds between two looks where the system reports no changes; default 1000. */
  readonly pollMs?: number;
}

/** A page that is being served. */
export interface RunWatch {
  /** Where the page is. */
  readonly url: string;
  /** Whether only this machine can see it. */
  readonly loopback: boolean;
  /** Says good-bye to all pages and stops listening. */
  close(): Promise<void>;
}

const DEFAULT_PORT = 6270;

/**
 * Serves a page that shows a run, or a progressive training, while it goes on. The folder need not be there yet.
 * @throws VideomaeError when it is a file, or the address cannot be listened on
 */
export async function watchRun(folder: string, options: WatchOptions = {}): Promise<RunWatch> {
  const { host = "127.0.0.1", port = DEFAULT_PORT, pollMs = 1000 } = options;
  refuseFile(folder);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    const hint = "0 takes any port that is free";
    throw new VideomaeError({ op: "watch", expected: "a port from 0 to 65535", got: `${port}`, hint });
  }
  const { serveRun } = await import("./run-server.js");
  return await serveRun(folder, { host, port, pollMs });
}

function refuseFile(folder: string): void {
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== false) return;
  const hint = "name what was given to --out";
  throw new VideomaeError({ op: `watch ${folder}`, expected: "the folder of a run", got: "a file", hint });
}
