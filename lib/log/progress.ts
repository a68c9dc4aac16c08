// Progress of a run: a bar on a terminal, a plain line every few seconds elsewhere (a file, a cluster's log).
//
//   step 1200/10000 | loss 0.7312 | lr 5.9e-4 | 41.3 clips/s | data wait 2 % | ETA 1 h 14 min
//
// Rates are those of a moving window of updates, so they follow the present and forget the slow start. A number that is
// not known yet reads "-", one that is not finite reads "not finite".

import type { Writable } from "node:stream";
import type { SingleBar } from "cli-progress";
import { library } from "../library.js";
import { type Rates, RateWindow } from "./rate-window.js";

const cliProgress = library<typeof import("cli-progress")>("cli-progress");

/** Options of `Progress`. */
export interface ProgressOptions {
  /** Optimiser steps of the whole run. */
  readonly total: number;
  /** Steps done before, of a resumed run; default 0. */
  readonly start?: number;
  /** Default: standard error. */
  readonly stream?: Writable & { readonly isTTY?: boolean };
  /** Seconds between two plain lines, default 10. */
  readonly lineSeconds?: number;
  /** Updates in the moving window, default 50. */
  readonly window?: number;
  /** Milliseconds of a monotonic clock, default `performance.now`. */
  readonly now?: () => number;
}

/** What a progress line shows of a step; what is left out is not shown. */
export interface ProgressUpdate {
  /** Optimiser steps done. */
  readonly step: number;
  readonly loss?: number;
  readonly lr?: number;
  /** Clips trained on since the last update. */
  readonly clips?: number;
  /** Milliseconds spent waiting for data since the last update. */
  readonly waitedMs?: number;
  /** Files found bad so far; shown when there are any. */
  readonly badFiles?: number;
}

/** Shows how a run proceeds; create it before the first step and `stop` it after the last. */
export class Progress {
  readonly #total: number;
  readonly #stream: Writable & { readonly isTTY?: boolean };
  readonly #lineMs: number;
  readonly #window: RateWindow;
  readonly #now: () => number;
  readonly #bar: SingleBar | undefined;
  #shown: ProgressUpdate;
  #lastLine: number;
  #lastPrinted = "";
  #stopped = false;

  constructor(options: ProgressOptions) {
    const { total, start = 0, stream = process.stderr, lineSeconds = 10, window = 50 } = options;
    this.#now = options.now ?? (() => performance.now());
    this.#total = total;
    this.#stream = stream;
    this.#lineMs = lineSeconds * 1000;
    this.#window = new RateWindow(window);
    this.#window.add({ time: this.#now(), step: start, clips: 0, waitedMs: 0 });
    this.#shown = { step: start };
    this.#lastLine = Number.NEGATIVE_INFINITY;
    if (stream.isTTY) {
      const { Presets, SingleBar } = cliProgress();
      const format = "{bar} {line}";
      this.#bar = new SingleBar(
        { format, stream: stream as NodeJS.WritableStream, barsize: 20, hideCursor: true, linewrap: false, fps: 5 },
        Presets.shades_classic,
      );
      this.#bar.start(total, start, { line: this.line() });
    }
  }

  /** Reports a step; `loss` and `lr` left out keep their last values. */
  update(update: ProgressUpdate): void {
    this.#shown = {
      step: update.step,
      loss: update.loss ?? this.#shown.loss,
      lr: update.lr ?? this.#shown.lr,
      badFiles: update.badFiles ?? this.#shown.badFiles,
    };
    const { clips = 0, waitedMs = 0, step } = update;
    this.#window.add({ time: this.#now(), step, clips, waitedMs });
    if (this.#bar) this.#bar.update(step, { line: this.line() });
    else if (this.#now() - this.#lastLine >= this.#lineMs) this.#print();
  }

  /** What is shown at present, without the bar. */
  line(): string {
    const { step, loss, lr, badFiles = 0 } = this.#shown;
    const { clipsPerSecond, waiting, remainingSeconds } = this.rates();
    return [
      `step ${step}/${this.#total}`,
      `loss ${number(loss, (value) => value.toPrecision(4))}`,
      `lr ${number(lr, (value) => value.toExponential(1))}`,
      `${number(clipsPerSecond, (value) => (value < 10 ? value.toFixed(2) : value.toFixed(1)))} clips/s`,
      `data wait ${number(waiting, (value) => (100 * value).toFixed(0))} %`,
      ...(badFiles > 0 ? [`bad files ${badFiles}`] : []),
      `ETA ${number(remainingSeconds, duration)}`,
    ].join(" | ");
  }

  /** The rates of the moving window. */
  rates(): Rates {
    return this.#window.rates(this.#total);
  }

  /** Shows the last state and gives the terminal back; a second call does nothing. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    if (this.#bar) this.#bar.stop();
    else if (this.line() !== this.#lastPrinted) this.#print();
  }

  #print(): void {
    this.#lastLine = this.#now();
    this.#lastPrinted = this.line();
    this.#stream.write(`${this.#lastPrinted}\n`);
  }
}

/** `1 d 3 h`, `1 h 14 min`, `2 min 5 s`, `41 s`. */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  const parts = [
    [Math.floor(whole / 86400), "d"],
    [Math.floor(whole / 3600) % 24, "h"],
    [Math.floor(whole / 60) % 60, "min"],
    [whole % 60, "s"],
  ] as const;
  const first = parts.findIndex(([count]) => count > 0);
  if (first < 0) return "0 s";
  const shown = parts.slice(first, first + 2).filter(([count], index) => index === 0 || count > 0);
  return shown.map(([count, unit]) => `${count} ${unit}`).join(" ");
}

function number(value: number | undefined, format: (value: number) => string): string {
  if (value === undefined) return "-";
  return Number.isFinite(value) ? format(value) : "not finite";
}
