// Who makes the clips: worker threads, or this thread when there are none.
//
// A request that takes longer than the time-out is given up by the reader itself, between two calls of the decoder. When
// that does not happen, its worker is told to end, ended a moment later, and another takes its place. A worker that is
// stuck in a system call cannot be ended; it is left behind, and the loader gives up when too many are.

import { setTimeout as delay } from "node:timers/promises";
import type { Worker } from "node:worker_threads";
import { VideomaeError } from "../errors.js";
import { workerThreads } from "../library.js";
import { ClipQueue, WorkerStatus } from "./clip-queue.js";
import { ClipReader, type ReaderLimits } from "./clip-reader.js";
import type { ClipOutcome, ClipRequest, FromWorker, PostedRequest, ToWorker, WorkerSetup } from "./clip-request.js";
import type { DecoderName } from "./find-decoder.js";
import { sourcePath } from "./source.js";
import { stopBeforeExit, WorkSignal } from "./work-signal.js";

export interface ClipPool {
  make(request: ClipRequest): Promise<ClipOutcome>;
  /** Ends it; what is not made by then never will be. */
  close(): Promise<void>;
}

export interface PoolOptions {
  readonly workers: number;
  readonly decoder: DecoderName;
  /** Seconds that a request may take; 0: for ever. */
  readonly timeout: number;
}

interface Job {
  readonly request: ClipRequest;
  readonly resolve: (outcome: ClipOutcome) => void;
  readonly reject: (error: Error) => void;
}

interface Member {
  readonly worker: Worker;
  readonly status: WorkerStatus;
  readonly signal: WorkSignal;
  readonly exited: Promise<void>;
  /** Ended on purpose. */
  dismissed: boolean;
}

const STOP_MS = 5000;
/** What a worker has after the time-out to give the request up by itself, and again to end when it is told to. */
const GRACE_MS = 2000;
const MOST_STUCK = 8;

export function openPool(options: PoolOptions): ClipPool {
  return options.workers === 0 ? new ClipReader(options.decoder, limitsOf(options)) : new WorkerPool(options);
}

function limitsOf({ timeout }: PoolOptions): ReaderLimits {
  return timeout > 0 ? { seconds: timeout } : {};
}

class WorkerPool implements ClipPool {
  readonly #options: PoolOptions;
  readonly #queue = new ClipQueue();
  readonly #members = new Set<Member>();
  /** Those under way or not begun, in order. */
  readonly #jobs = new Map<number, Job>();
  #unposted: PostedRequest[] = [];
  #nextId = 0;
  #stuck = 0;
  #ended: Error | undefined;
  readonly #watch: NodeJS.Timeout | undefined;

  constructor(options: PoolOptions) {
    this.#options = options;
    for (let i = 0; i < options.workers; i++) this.#start();
    const { timeout } = options;
    if (timeout > 0) this.#watch = setInterval(() => this.#findLate(), Math.min(1000, 250 * timeout)).unref();
  }

  make(request: ClipRequest): Promise<ClipOutcome> {
    return new Promise((resolve, reject) => {
      if (this.#ended) reject(this.#ended);
      else this.#add({ request, resolve, reject });
    });
  }

  async close(): Promise<void> {
    this.#end(new Error("the loader was closed"));
    const members = [...this.#members];
    await Promise.all(members.map((member) => this.#dismiss(member, STOP_MS)));
  }

  #start(): void {
    const [status, signal] = [new WorkerStatus(), new WorkSignal()];
    const { decoder } = this.#options;
    const { seconds } = limitsOf(this.#options);
    const worker = new (workerThreads().Worker)(new URL("./clip-worker.js", import.meta.url), {
      workerData: {
        ...{ decoder, seconds, queue: this.#queue.memory },
        ...{ status: status.memory, signal: signal.memory },
      } satisfies WorkerSetup,
      execArgv: [], // flags for the program (--input-type, a TypeScript loader) are not for a compiled module
    });
    const exited = new Promise<void>((resolve) => worker.once("exit", () => resolve()));
    exited.then(stopBeforeExit(signal));
    const member: Member = { worker, status, signal, exited, dismissed: false };
    worker.on("message", (message: FromWorker) => this.#answer(message));
    worker.on("error", (cause) => this.#broken(member, cause.message, cause));
    worker.on("exit", (code) => this.#broken(member, `exit status ${code}`));
    this.#members.add(member);
    this.#hold(member);
    if (this.#jobs.size > 0) worker.postMessage([...this.#jobs].map(([id, { request }]) => ({ id, request })));
  }

  #add(job: Job): void {
    const id = this.#nextId;
    this.#nextId = (id + 1) | 0;
    this.#jobs.set(id, job);
    if (this.#jobs.size === 1) for (const member of this.#members) this.#hold(member);
    this.#unposted.push({ id, request: job.request });
    if (this.#unposted.length === 1) queueMicrotask(() => this.#post());
  }

  #post(): void {
    const requests = this.#unposted;
    this.#unposted = [];
    for (const { worker } of this.#members) worker.postMessage(requests satisfies ToWorker);
  }

  // A loop that was left without closing its iterator must not keep the process alive: only work does.
  #hold({ worker }: Member): void {
    if (this.#jobs.size > 0) worker.ref();
    else worker.unref();
  }

  #answer(message: FromWorker): void {
    if ("outcome" in message) this.#remove(message.id)?.resolve(message.outcome);
    else this.#remove(message.id)?.reject(failed(message.failure));
  }

  #remove(id: number): Job | undefined {
    const job = this.#jobs.get(id);
    this.#jobs.delete(id);
    if (this.#jobs.size === 0) for (const member of this.#members) this.#hold(member);
    return job;
  }

  #findLate(): void {
    for (const member of this.#members) {
      const { current, elapsed } = member.status;
      if (elapsed > 1000 * this.#options.timeout + GRACE_MS && this.#jobs.has(current))
        void this.#timeOut(member, current);
    }
  }

  async #timeOut(member: Member, id: number): Promise<void> {
    this.#members.delete(member);
    this.#start();
    // Until it has ended it may still write where a replacement would be written.
    if (!(await this.#dismiss(member, GRACE_MS)) && ++this.#stuck > MOST_STUCK) {
      this.#end(failed(`${this.#stuck} threads that hang`, "does the file system that holds the videos answer?"));
    }
    const { current } = member.status;
    const other = current === id ? undefined : this.#remove(current); // taken before it could be ended
    if (other !== undefined) this.#add(other);
    const job = this.#remove(id);
    const seconds = this.#options.timeout;
    job?.resolve({
      made: false,
      stage: "open",
      reason: `${sourcePath(job.request.source)}: expected a file that decodes within ${seconds} s; got one that takes longer: timed out`,
    });
  }

  /** Ends a worker that has not ended itself in time. Returns whether it did end. */
  async #dismiss(member: Member, patience: number): Promise<boolean> {
    member.dismissed = true;
    member.signal.stop();
    member.worker.ref();
    member.worker.postMessage("stop" satisfies ToWorker);
    if (await within(patience, member.exited)) return true;
    member.worker.terminate();
    return within(STOP_MS, member.exited).finally(() => member.worker.unref());
  }

  #broken(member: Member, reason: string, cause?: unknown): void {
    if (member.dismissed) return;
    const job = this.#jobs.get(member.status.current);
    const at = job === undefined ? "" : ` while it read ${sourcePath(job.request.source)}`;
    this.#end(failed(`a thread that ended${at} (${reason})`, "leave that file out, or use fewer --workers", cause));
  }

  #end(error: Error): void {
    if (this.#ended) return;
    this.#ended = error;
    for (const { signal } of this.#members) signal.stop();
    clearInterval(this.#watch);
    const jobs = [...this.#jobs.values()];
    this.#jobs.clear();
    for (const job of jobs) job.reject(error);
  }
}

/** Whether a promise settles in time. */
async function within(milliseconds: number, settled: Promise<void>): Promise<boolean> {
  const timer = new AbortController();
  const late = delay(milliseconds, false, { signal: timer.signal }).catch(() => false);
  const inTime = await Promise.race([settled.then(() => true), late]);
  timer.abort();
  return inTime;
}

function failed(got: string, hint?: string, cause?: unknown): VideomaeError {
  return new VideomaeError({ op: "loader", expected: "working loader threads", got, hint, cause });
}
