// What a thread that decodes and the thread that started it say to one another: that it is to stop, and that it is at
// work. node-av ends the whole process when a thread is terminated between two of its calls, as every thread is when the
// process exits, so work stops by itself first.

const STOPPED = 0;
const WORKING = 1;
const EXITING = 2;
/** How long an exit waits for work to stop, which it does between two packets. */
const EXIT_MS = 2000;

/** A signal that threads share which are given its memory. */
export class WorkSignal {
  readonly memory: SharedArrayBuffer;
  readonly #fields: Int32Array;

  constructor(memory = new SharedArrayBuffer(12)) {
    this.memory = memory;
    this.#fields = new Int32Array(memory);
  }

  /** What is being decoded ends with an error, and so does what is asked for from now on. */
  stop(): void {
    Atomics.store(this.#fields, STOPPED, 1);
  }

  get stopped(): boolean {
    return Atomics.load(this.#fields, STOPPED) === 1;
  }

  /** Does what calls the decoder: everything that does, in a thread that may be ended. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    Atomics.store(this.#fields, WORKING, 1);
    // Whoever exits says so first and then looks whether there is work.
    if (Atomics.load(this.#fields, EXITING) === 1) this.#park();
    try {
      return await work();
    } finally {
      this.#rest();
    }
  }

  /** Stops the work, lets none begin, and blocks until none is under way or the time is over. */
  leave(milliseconds: number): void {
    Atomics.store(this.#fields, EXITING, 1);
    this.stop();
    Atomics.wait(this.#fields, WORKING, 1, milliseconds);
  }

  #rest(): void {
    Atomics.store(this.#fields, WORKING, 0);
    Atomics.notify(this.#fields, WORKING);
  }

  /** Waits for the end of the process. */
  #park(): void {
    this.#rest();
    Atomics.wait(this.#fields, EXITING, 1);
  }
}

const atWork = new Set<WorkSignal>();

function leaveAll(): void {
  const end = performance.now() + EXIT_MS;
  for (const signal of atWork) signal.stop();
  for (const signal of atWork) signal.leave(Math.max(0, end - performance.now()));
}

/** Has the work of a thread stopped before this one exits, until the function that is returned is called. */
export function stopBeforeExit(signal: WorkSignal): () => void {
  if (atWork.size === 0) process.on("exit", leaveAll);
  atWork.add(signal);
  return () => {
    atWork.delete(signal);
    if (atWork.size === 0) process.off("exit", leaveAll);
  };
}
