// What the loader's threads share beside pixels: which request is next, and what each worker is at. Every request is
// sent to every worker, in order; the worker that moves the counter on takes it, the others drop it. So a worker never
// waits for the loader's thread, which is busy with a training step for seconds, and none idles while there is work.
//
// Numbers wrap around at 2^32.

const NEXT = 0;

const CURRENT = 0;
const SINCE = 1;
const NONE = -1;

export class ClipQueue {
  readonly memory: SharedArrayBuffer;
  readonly #fields: Int32Array;

  constructor(memory = new SharedArrayBuffer(4)) {
    this.memory = memory;
    this.#fields = new Int32Array(memory);
  }

  /** Whether request `id` is the caller's to make. */
  take(id: number): boolean {
    return Atomics.compareExchange(this.#fields, NEXT, id, (id + 1) | 0) === id;
  }
}

/** What one worker is at. */
export class WorkerStatus {
  readonly memory: SharedArrayBuffer;
  readonly #fields: Int32Array;

  constructor(memory = idle()) {
    this.memory = memory;
    this.#fields = new Int32Array(memory);
  }

  begin(id: number): void {
    Atomics.store(this.#fields, SINCE, milliseconds());
    Atomics.store(this.#fields, CURRENT, id);
  }

  end(): void {
    Atomics.store(this.#fields, CURRENT, NONE);
  }

  /** The request under way, -1 for none. */
  get current(): number {
    return Atomics.load(this.#fields, CURRENT);
  }

  /** Milliseconds since it was begun. */
  get elapsed(): number {
    return (milliseconds() - Atomics.load(this.#fields, SINCE)) | 0;
  }
}

function idle(): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(8);
  new Int32Array(memory)[CURRENT] = NONE;
  return memory;
}

/** A clock that all threads share. */
function milliseconds(): number {
  return Number(process.hrtime.bigint() / 1_000_000n) | 0;
}
