// The log of a run. A full disk must not end a run, and no line may be lost: what cannot be written waits in memory and
// is tried again with the next line. A checkpoint is saved only after every line before it lies on the disk, so a run
// that goes on from the checkpoint finds the log complete, and cuts it there. Every line is also shown to TensorBoard.
import { VideomaeError } from "../errors.js";
import type { JsonlLog, LogRecord } from "../log/jsonl.js";
import type { RunEvents } from "./run-events.js";

export class RunLog implements Disposable {
  readonly #log: JsonlLog;
  readonly #onNote: (note: string) => void;
  readonly #events: RunEvents | undefined;
  readonly #waiting: LogRecord[] = [];
  #failing = false;

  /**
   * @param onNote  told what the user should know
   * @param events  for TensorBoard, where the run writes them
   */
  constructor(log: JsonlLog, onNote: (note: string) => void, events?: RunEvents) {
    this.#log = log;
    this.#onNote = onNote;
    this.#events = events;
  }

  get path(): string {
    return this.#log.path;
  }

  /** Adds a line. A file system that refuses is reported once, until it takes lines again. */
  write(record: LogRecord): void {
    this.#events?.line(record);
    this.#waiting.push(record);
    try {
      this.#drain();
      this.#failing = false;
    } catch (error) {
      if (!(error instanceof VideomaeError)) throw error;
      if (!this.#failing) this.#onNote(`${error.message}; lines wait in memory`);
      this.#failing = true;
    }
  }

  /** Adds a line for something that happened, and tells the user in a sentence. */
  event(event: string, note: string, fields: LogRecord = {}): void {
    this.write({ event, ...fields });
    this.#onNote(note);
  }

  /**
   * Puts every line on the disk and returns the length of the log in bytes.
   * @throws VideomaeError when the file system refuses
   */
  flush(): number {
    this.#drain();
    this.#log.flush();
    return this.#log.bytes;
  }

  /** Closes the log; lines that still cannot be written are lost, and said to be. */
  [Symbol.dispose](): void {
    try {
      this.#drain();
    } catch {
      this.#onNote(`${this.#waiting.length} lines of ${this.path} could not be written`);
    }
    this.#log.close();
  }

  #drain(): void {
    while (this.#waiting.length > 0) {
      this.#log.write(this.#waiting[0]);
      this.#waiting.shift();
    }
  }
}
