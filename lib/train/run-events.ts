// What TensorBoard shows of a run: the numbers of every line of its log, and pictures. The log is the record of a run, and
// event files a view of it: a file system that refuses them costs no update and no line of the log.
//
// A file is ended by the first record that could not be written whole, for nothing after it can be read. So the records
// since then wait in memory, and begin the next file.
import { VideomaeError } from "../errors.js";
import { type EncodedPicture, EventFile } from "../log/event-file.js";
import type { LogRecord } from "../log/jsonl.js";

/** Something to be written at a step. */
interface Waiting {
  readonly step: number;
  write(file: EventFile): void;
}

export class RunEvents implements Disposable {
  readonly #open: (startStep: number) => EventFile;
  readonly #onNote: (note: string) => void;
  #file: EventFile | undefined;
  #waiting: Waiting[] = [];
  #failing = false;

  /**
   * @param folder  the run's
   * @param start  updates done: what older files hold of later ones does not count
   * @param onNote  told what the user should know
   * @param open  makes a file whose first step is the given one
   */
  constructor(
    folder: string,
    start: number,
    onNote: (note: string) => void,
    open = (startStep: number) => new EventFile(folder, startStep),
  ) {
    this.#open = open;
    this.#onNote = onNote;
    this.#add({ step: start, write: () => {} });
  }

  /** A line of the log: of an update, or of a validation. Other lines have no place on a curve. */
  line(record: LogRecord): void {
    const step = record.event === undefined ? record.step : record.event === "validation" ? record.update : undefined;
    if (typeof step !== "number") return;
    const { step: _step, steps: _steps, update: _update, ...numbers } = record;
    const scalars = scalarsOf(numbers, String(record.event ?? "train"));
    const time = Date.now();
    this.#add({ step, write: (file) => file.scalars(step, scalars, time) });
  }

  picture(step: number, name: string, picture: EncodedPicture): void {
    const time = Date.now();
    this.#add({ step, write: (file) => file.picture(step, name, picture, time) });
  }

  [Symbol.dispose](): void {
    if (this.#waiting.length > 0) this.#onNote(`${this.#waiting.length} records for TensorBoard could not be written`);
    this.#file?.close();
  }

  #add(record: Waiting): void {
    this.#waiting.push(record);
    try {
      this.#file ??= this.#open(this.#waiting[0].step + 1);
      for (; this.#waiting.length > 0; this.#waiting.shift()) this.#waiting[0].write(this.#file);
      this.#failing = false;
    } catch (error) {
      if (!(error instanceof VideomaeError)) throw error;
      if (!this.#failing) this.#onNote(`${error.message}; records for TensorBoard wait in memory`);
      this.#failing = true;
      this.#file?.close();
      this.#file = undefined;
    }
  }
}

/** Numbers by their path; flags and texts are left out. */
function scalarsOf(record: LogRecord, prefix: string): Record<string, number> {
  return Object.assign(
    {},
    ...Object.entries(record).map(([field, value]) => {
      const name = `${prefix}/${field}`;
      if (typeof value === "number") return { [name]: value };
      const isRecord = typeof value === "object" && value !== null && !Array.isArray(value);
      return isRecord ? scalarsOf(value as LogRecord, name) : {};
    }),
  );
}
