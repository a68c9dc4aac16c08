// When a run saves, what it keeps, and what happens when it cannot.
//
// A save that fails costs nothing but the chance to go on from it: the checkpoints before it are whole, and the run can
// go on. So a failure of a regular save is reported and the next regular save is the next attempt; the third failure in
// a row ends the run, and so does one of the last save, after which there would be none. The best checkpoint is that of
// the lowest loss given to a regular save; it and the last one are always kept.
import { VideomaeError } from "../errors.js";
import { checkpointPath, markBest, retainCheckpoints } from "../io/checkpoint-folder.js";
import type { RunLog } from "./run-log.js";

const MOST_FAILURES = 3;

/** The checkpoint of the lowest loss. */
export interface BestCheckpoint {
  readonly step: number;
  readonly loss: number;
}

/** What a checkpoint is to hold beside the state of the training itself. */
export interface SaveRecord {
  /** Updates done. */
  readonly step: number;
  readonly epoch: number;
  readonly best?: BestCheckpoint;
  /** Length of the log in bytes: a run that goes on from here cuts it there. */
  readonly logBytes: number;
}

export interface SaverOptions {
  /** The run's folder. */
  readonly folder: string;
  /** How many checkpoints to keep, besides the best. */
  readonly keep: number;
  readonly log: RunLog;
  /** Writes a checkpoint atomically. */
  readonly write: (path: string, record: SaveRecord) => void;
  readonly onSaved?: (path: string) => void;
  /** Of a run that goes on: the checkpoint it goes on from, and the best one of its folder. */
  readonly resumed?: { readonly step: number; readonly path: string };
  readonly best?: BestCheckpoint;
}

export interface SaveOptions {
  /** The loss to be judged by; without one, e.g. of a save between two regular ones, it cannot be the best. */
  readonly loss?: number;
  /** There will be no other attempt. */
  readonly last?: boolean;
}

export class CheckpointSaver {
  readonly #options: SaverOptions;
  #saved: { step: number; path: string } | undefined;
  #best: BestCheckpoint | undefined;
  #failures = 0;

  constructor(options: SaverOptions) {
    this.#options = options;
    this.#saved = options.resumed;
    this.#best = options.best;
    this.#arrange(); // a process that was killed in a save may have left this undone
  }

  /** The newest checkpoint; "" when there is none. */
  get saved(): string {
    return this.#saved?.path ?? "";
  }

  /** Whether the state after this update has been saved. */
  has(step: number): boolean {
    return this.#saved?.step === step;
  }

  /**
   * Saves the state after update `step`.
   * @throws VideomaeError when that fails and nothing may be put off any more
   */
  save(step: number, epoch: number, { loss, last = false }: SaveOptions = {}): void {
    try {
      this.#write(step, epoch, loss);
      this.#failures = 0;
    } catch (error) {
      if (!(error instanceof VideomaeError)) throw error;
      this.#failures++;
      if (last || this.#failures >= MOST_FAILURES) throw this.#explain(step, error);
      const note = `could not save after update ${step} (attempt ${this.#failures} of ${MOST_FAILURES}): ${error.message}`;
      this.#options.log.event("save failed", note, { update: step, attempt: this.#failures, reason: error.message });
    }
  }

  #write(step: number, epoch: number, loss: number | undefined): void {
    const { folder, log, write, onSaved } = this.#options;
    const path = checkpointPath(folder, step);
    const better = loss !== undefined && (this.#best === undefined || loss < this.#best.loss);
    const best = better ? { step, loss } : this.#best;
    write(path, { step, epoch, best, logBytes: log.flush() });
    this.#saved = { step, path };
    onSaved?.(path);
    this.#best = best;
    this.#arrange();
  }

  /** Marks the best checkpoint, and removes what is not to be kept. */
  #arrange(): void {
    const { folder, keep } = this.#options;
    if (this.#best !== undefined) markBest(folder, this.#best.step);
    retainCheckpoints(folder, keep);
  }

  #explain(step: number, cause: VideomaeError): VideomaeError {
    const { got, hint } = cause;
    const kept = this.#saved === undefined ? "no checkpoint was saved before" : `${this.saved} is whole`;
    return new VideomaeError({
      op: `save after update ${step}: ${cause.op}`,
      expected: cause.expected,
      got: `${got}; ${kept}`,
      hint: `${hint ? `${hint}; then ` : ""}start the run again: it goes on from its newest checkpoint`,
      cause,
    });
  }
}
