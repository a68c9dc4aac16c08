// One page that listens: a stream of server-sent events that never falls behind. What is sent is what the page does not have
// yet, found when it can take more; so one that is slow gets fewer and larger messages, and nothing waits in memory.

import type { ServerResponse } from "node:http";
import type { Messages, SectionName, SeriesName, SeriesPart } from "./messages.js";
import type { RunFollower } from "./run-follower.js";
import { sectionsOf } from "./sections.js";
import type { Seen } from "./series.js";
import type { WatchedFolder } from "./watched-folder.js";

/** Milliseconds after which a page that lost the server tries again. */
const RETRY_MS = 2000;

export class Subscriber {
  readonly #response: ServerResponse;
  readonly #watched: WatchedFolder;
  readonly #chosen: string | undefined;
  #run: RunFollower | undefined;
  #window = "";
  #sections: Partial<Record<SectionName, string>> = {};
  #series = new Map<SeriesName, Seen>();
  #skipped: readonly number[] = [];

  /**
   * @param stage  to show; undefined: the one under way, and then the next
   * @param server  which server this is
   */
  constructor(response: ServerResponse, watched: WatchedFolder, stage: string | undefined, server: string) {
    this.#response = response;
    this.#watched = watched;
    this.#chosen = stage;
    response.on("drain", () => this.update());
    response.write(`retry: ${RETRY_MS}\n\n`);
    this.#send("hello", { server });
  }

  /** Sends what is new, when the page can take it. */
  update(): void {
    if (this.#response.writableNeedDrain || this.#response.writableEnded) return;
    const view = this.#watched.view(this.#chosen ?? this.#watched.currentStage);
    const anew = view.run !== this.#run;
    if (anew) this.#series.clear();
    this.#run = view.run;
    const { window, sections } = sectionsOf(view);
    const changed = Object.fromEntries(
      Object.entries(sections).filter(([name, source]) => this.#sections[name as SectionName] !== source),
    );
    if (Object.keys(changed).length > 0 || window !== this.#window) this.#send("sections", { window, changed });
    this.#sections = sections;
    this.#window = window;
    this.#sendCurves(view.run, anew);
  }

  /** Keeps the connection in use, so that nobody between takes it for dead. */
  beat(): void {
    if (!this.#response.writableNeedDrain) this.#response.write(": \n\n");
  }

  /** Says good-bye. */
  end(): void {
    this.#send("bye", {});
    this.#response.end();
  }

  #sendCurves(run: RunFollower, anew: boolean): void {
    const series: Partial<Record<SeriesName, SeriesPart>> = {};
    for (const [name, curve] of run.curves()) {
      const part = curve.since(this.#series.get(name));
      if (part === undefined) continue;
      series[name] = part;
      this.#series.set(name, curve.all);
    }
    const { skipped } = run.log;
    if (!anew && Object.keys(series).length === 0 && skipped === this.#skipped) return;
    this.#skipped = skipped;
    this.#send("curves", { anew, series, skipped });
  }

  #send<E extends keyof Messages>(event: E, data: Messages[E]): void {
    this.#response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  }
}
