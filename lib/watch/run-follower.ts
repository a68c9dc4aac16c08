// A run as its folder tells it while it goes on. Nothing is written there, and nothing of it needs to be there yet.

import { stat } from "node:fs/promises";
import path from "node:path";
import { parseYaml, readYaml } from "../config/yaml-options.js";
import { VideomaeError } from "../errors.js";
import { type Outcomes, readOutcomes } from "../report/outcomes.js";
import { type Writer, writerOf } from "../train/run-lock.js";
import { EventView } from "./event-view.js";
import { type LoggedUpdate, LogView } from "./log-view.js";
import type { SeriesName } from "./messages.js";
import type { Series } from "./series.js";
import { Speed } from "./speed.js";

export class RunFollower {
  readonly folder: string;
  readonly log: LogView;
  readonly events: EventView;
  readonly speed = new Speed();
  /** What there is, the folder itself and the log in it; undefined before the first look has ended. */
  there: { readonly folder: boolean; readonly log: boolean } | undefined;
  /** When the log was last written, in milliseconds since 1970. */
  written: number | undefined;
  writer: Writer | undefined;
  readonly options: FileContent<Readonly<Record<string, unknown>>>;
  readonly outcomes: FileContent<Outcomes>;
  /** Why the folder could not be looked at. */
  trouble: string | undefined;
  /** Updates that came since the last look: how many, their sums, and the step of the last. */
  #arrived = { updates: 0, clips: 0, waitedMs: 0, step: 0 };

  /** @param onChunk  called now and then while much is read */
  constructor(folder: string, onChunk: () => void) {
    this.folder = folder;
    this.log = new LogView(folder, (update) => this.#arrive(update), onChunk);
    this.events = new EventView(folder, {
      onUpdate: (update) => this.speed.add(update),
      onStart: (step) => this.speed.rewind(step),
      onChunk,
    });
    const recipe = path.join(folder, "recipe.yaml");
    this.options = new FileContent(recipe, () => parseYaml(readYaml(recipe, "the options of a run"), recipe).options);
    this.outcomes = new FileContent(path.join(folder, "validation.json"), () => readOutcomes(folder));
  }

  /** Looks at what is new. */
  async poll(): Promise<void> {
    try {
      await this.#look();
      this.trouble = undefined;
    } catch (error) {
      // A file system that refuses may do so for a moment only: the next look tries again.
      if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
      this.trouble = (error as Error).message;
    }
  }

  /** All curves. */
  curves(): [SeriesName, Series][] {
    return [...this.log.curves(), ...(Object.entries(this.speed.series) as [SeriesName, Series][])];
  }

  /** What cannot be read, in words. */
  problems(): string[] {
    const { broken } = this.log;
    return [
      ...(this.trouble === undefined ? [] : [this.trouble]),
      ...(broken.lines > 0
        ? [`lines of the log that are no JSON objects: ${broken.lines}, the first is ${broken.first}`]
        : []),
      ...this.events.damaged.map(
        ([file, byte]) => `${file} cannot be read from byte ${byte} on: rates and pictures end there`,
      ),
      ...[this.options.problem, this.outcomes.problem].filter((problem) => problem !== undefined),
    ];
  }

  async #look(): Promise<void> {
    const { restarts } = this.log;
    this.#arrived = { updates: 0, clips: 0, waitedMs: 0, step: 0 };
    const folder = (await timesOf(this.folder)) !== undefined;
    // Before the log, whose lines are written after the records of event files: no rate is of a step beyond the curves.
    await this.events.poll();
    const log = await this.log.poll();
    this.written = (await timesOf(path.join(this.folder, "log.jsonl")))?.mtimeMs;
    if (!this.events.exists) this.#timeArrivals(restarts < this.log.restarts);
    this.writer = writerOf(this.folder);
    await this.options.poll();
    await this.outcomes.poll();
    this.there = { folder, log };
  }

  #arrive(update: LoggedUpdate): void {
    const { updates, clips, waitedMs } = this.#arrived;
    this.#arrived = {
      ...{ updates: updates + 1, step: update.step },
      ...{ clips: clips + Number(update.clips ?? 0), waitedMs: waitedMs + Number(update.waitedMs ?? 0) },
    };
  }

  /** Takes what came since the last look for made just now. */
  #timeArrivals(restarted: boolean): void {
    if (restarted) this.speed.rewind((this.log.last?.step ?? Number.NEGATIVE_INFINITY) + 1);
    const { updates, clips, waitedMs, step } = this.#arrived;
    if (updates === 0 || this.there === undefined || restarted) return;
    this.speed.add({ time: Date.now(), step, clips: clips / updates, waitedMs: waitedMs / updates });
  }
}

/** What a small file holds, read again when it has changed. */
export class FileContent<T> {
  readonly #path: string;
  readonly #read: () => T | undefined;
  #seen: string | undefined;
  value: T | undefined;
  /** Why it cannot be read. */
  problem: string | undefined;

  /** @param read  may throw a VideomaeError */
  constructor(path: string, read: () => T | undefined) {
    this.#path = path;
    this.#read = read;
  }

  async poll(): Promise<void> {
    const times = await timesOf(this.#path);
    const seen = times && `${times.ino} ${times.size} ${times.mtimeMs}`;
    if (seen === this.#seen) return;
    try {
      this.value = seen === undefined ? undefined : this.#read();
      this.problem = undefined;
    } catch (error) {
      if (!(error instanceof VideomaeError)) throw error;
      this.value = undefined;
      this.problem = error.message;
    }
    this.#seen = seen;
  }
}

/** Of a file or folder; undefined where there is none. */
async function timesOf(file: string): Promise<{ ino: number; size: number; mtimeMs: number } | undefined> {
  try {
    return await stat(file);
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
    throw error;
  }
}
