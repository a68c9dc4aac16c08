// What the log of a run tells while it grows: curves, the last update and validation, and what was said.

import path from "node:path";
import type { LogRecord } from "../log/jsonl.js";
import { JsonlFollower } from "../log/jsonl-follower.js";
import { noteRow } from "../report/record-text.js";
import { numberOf } from "../report/run-record.js";
import type { SeriesName } from "./messages.js";
import { Series } from "./series.js";

/** So many of the last notes, and of the last skipped updates, are shown. */
const MOST_NOTES = 50;
const MOST_SKIPPED = 200;

/** The fields of an update that have a curve. */
const ofUpdate = ["loss", "learningRate", "gradientNorm"] as const;

/** An update as the log has it. */
export type LoggedUpdate = LogRecord & { readonly step: number };

export class LogView {
  readonly series = { loss: new Series(), learningRate: new Series(), gradientNorm: new Series() };
  readonly validation = { validationLoss: new Series(), top1: new Series(), top5: new Series() };
  /** The last line of an update. */
  last: LoggedUpdate | undefined;
  /** The last validation. */
  measured: LogRecord | undefined;
  machine: LogRecord | undefined;
  /** The last things that were said, oldest first. */
  notes: [string, string][] = [];
  /** The last updates that were skipped. */
  skipped: number[] = [];
  skippedInAll = 0;
  badFiles = 0;
  /** How often the log was cut or replaced. */
  restarts = 0;
  /** Lines that cannot be read: how many, and which the first is. */
  broken = { lines: 0, first: 0 };
  readonly #log: JsonlFollower;
  readonly #onUpdate: (update: LoggedUpdate) => void;

  /**
   * @param folder  the run's
   * @param onUpdate  told of every update that is read
   * @param onChunk  called now and then while much is read
   */
  constructor(folder: string, onUpdate: (update: LoggedUpdate) => void, onChunk: () => void) {
    this.#onUpdate = onUpdate;
    this.#log = new JsonlFollower(path.join(folder, "log.jsonl"), {
      onRestart: () => this.#restart(),
      onRecord: (record) => this.#take(record),
      onBroken: (line) => {
        this.broken = { lines: this.broken.lines + 1, first: this.broken.first || line };
      },
      onChunk,
    });
  }

  /** Reads what is new; whether there is a log. */
  poll(): Promise<boolean> {
    return this.#log.poll();
  }

  /** All curves. */
  curves(): [SeriesName, Series][] {
    return Object.entries({ ...this.series, ...this.validation }) as [SeriesName, Series][];
  }

  #restart(): void {
    this.restarts++;
    // From the first step on: whoever has seen the curves learns that they begin anew.
    for (const [, series] of this.curves()) series.rewind(Number.NEGATIVE_INFINITY);
    [this.last, this.measured, this.machine] = [undefined, undefined, undefined];
    [this.notes, this.skipped, this.skippedInAll, this.badFiles] = [[], [], 0, 0];
    this.broken = { lines: 0, first: 0 };
  }

  #take(record: LogRecord): void {
    const { event, step } = record;
    if (event === undefined && typeof step === "number") this.#update(record as LoggedUpdate);
    else if (event === "validation") this.#validation(record);
    else if (event === "machine") this.machine = record;
    else if (typeof event === "string") {
      if (event === "bad file") this.badFiles++;
      this.notes = [...this.notes.slice(1 - MOST_NOTES), noteRow({ ...record, event })];
    }
  }

  #update(record: LoggedUpdate): void {
    this.last = record;
    for (const name of ofUpdate) this.series[name].push(record.step, numberOf(record, name));
    if (record.skipped === true) {
      this.skippedInAll++;
      this.skipped = [...this.skipped.slice(1 - MOST_SKIPPED), record.step];
    }
    this.#onUpdate(record);
  }

  #validation(record: LogRecord): void {
    this.measured = record;
    const step = numberOf(record, "update");
    this.validation.validationLoss.push(step, numberOf(record, "loss"));
    this.validation.top1.push(step, 100 * numberOf(record, "top1"));
    this.validation.top5.push(step, 100 * numberOf(record, "top5"));
  }
}
