// The bad videos of a run: each is reported once, also when a resumed run meets it again.
import type { BadFile } from "../data/loader.js";

export class BadFileReports {
  readonly #reports: Map<string, BadFile>;
  readonly #onReport: (report: BadFile) => void;

  /** @param before  what the run had reported before it was resumed */
  constructor(before: readonly BadFile[], onReport: (report: BadFile) => void) {
    this.#reports = new Map(before.map((report) => [report.where, report]));
    this.#onReport = onReport;
  }

  /** All reports, in the order they came. */
  get all(): BadFile[] {
    return [...this.#reports.values()];
  }

  take(report: BadFile): void {
    if (this.#reports.has(report.where)) return;
    const counted = { ...report, bad: this.#reports.size + 1 };
    this.#reports.set(report.where, counted);
    this.#onReport(counted);
  }
}
