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

/** The picture of a confusion matrix, as event files name it. */
export const CONFUSION = "confusion";

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
  /** Of a validation, or of the test that a stage without updates is. */
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
      if (!isRefusal(error)) throw error;
      this.trouble = (error as Error).message;
    }
  }

  /** All curves. */
  curves(): [SeriesName, Series][] {
    return [...this.log.curves(), ...(Object.entries(this.speed.series) as [SeriesName, Series][])];
  }

  /** Outcomes of this run as far as it is: none that an earlier run left or that were undone, or that are outdated. */
  get currentOutcomes(): Outcomes | undefined {
    const { value } = this.outcomes;
    const { last, measured } = this.log;
    const reached = Math.max(last?.step ?? -1, Number(measured?.update ?? -1));
    if (value === undefined || (this.there?.log && value.step > reached)) return undefined;
    const drawn = this.events.pictures.find(([name]) => name === CONFUSION)?.[1].step;
    return drawn !== undefined && drawn > value.step ? undefined : value;
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
    const log = await this.log.poll();
    await this.events.poll();
    this.written = (await timesOf(path.join(this.folder, "log.jsonl")))?.mtimeMs;
    if (!this.events.exists) this.#timeArrivals(restarts < this.log.restarts);
    this.writer = writerOf(this.folder);
    await this.options.poll();
    await this.outcomes.poll();
    this.there = { folder, log };
  }

  #arrive({ step, clips, waitedMs }: LoggedUpdate): void {
    const arrived = this.#arrived;
    arrived.updates++;
    arrived.clips += Number(clips ?? 0);
    arrived.waitedMs += Number(waitedMs ?? 0);
    arrived.step = step;
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
    let seen: string | undefined;
    try {
      const times = await timesOf(this.#path);
      seen = times && `${times.ino} ${times.size} ${times.mtimeMs}`;
      if (seen === this.#seen) return;
      this.value = seen === undefined ? undefined : this.#read();
      this.problem = undefined;
    } catch (error) {
      if (!(error instanceof VideomaeError) && !isRefusal(error)) throw error;
      this.value = undefined;
      this.problem = (error as Error).message;
    }
    this.#seen = seen;
  }
}

/** Whether the file system refused something. */
function isRefusal(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).syscall !== undefined;
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
