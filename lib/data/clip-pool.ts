// Who makes the clips: worker threads, or this thread when there are none. A worker is given its next request while it
// is busy with one, so that it never waits for this thread.

import { Worker } from "node:worker_threads";
import { VideomaeError } from "../errors.js";
import { ClipReader } from "./clip-reader.js";
import type { ClipOutcome, ClipRequest, FromWorker, ToWorker, WorkerSetup } from "./clip-request.js";
import type { DecoderName } from "./find-decoder.js";

export interface ClipPool {
  make(request: ClipRequest): Promise<ClipOutcome>;
  /** Ends it; what is not made by then never will be. */
  close(): Promise<void>;
}

interface Job {
  readonly request: ClipRequest;
  readonly resolve: (outcome: ClipOutcome) => void;
  readonly reject: (error: Error) => void;
}

interface Member {
  readonly worker: Worker;
  readonly jobs: Map<number, Job>;
  readonly exited: Promise<void>;
}

const JOBS_PER_WORKER = 2;
const STOP_MS = 5000;

export function openPool(workers: number, decoder: DecoderName): ClipPool {
  return workers === 0 ? new ClipReader(decoder) : new WorkerPool(workers, decoder);
}

class WorkerPool implements ClipPool {
  readonly #members: Member[] = [];
  readonly #waiting: Job[] = [];
  #nextId = 0;
  #ended: Error | undefined;

  constructor(workers: number, decoder: DecoderName) {
    for (let i = 0; i < workers; i++) this.#members.push(this.#start(decoder));
  }

  make(request: ClipRequest): Promise<ClipOutcome> {
    return new Promise((resolve, reject) => {
      if (this.#ended) {
        reject(this.#ended);
        return;
      }
      this.#waiting.push({ request, resolve, reject });
      this.#dispatch();
    });
  }

  async close(): Promise<void> {
    this.#end(new Error("the loader was closed"));
    await Promise.all(
      this.#members.map(async ({ worker, exited }) => {
        worker.ref();
        worker.postMessage("stop" satisfies ToWorker);
        const late = setTimeout(() => worker.terminate(), STOP_MS);
        await exited;
        clearTimeout(late);
      }),
    );
  }

  #start(decoder: DecoderName): Member {
    const worker = new Worker(new URL("./clip-worker.js", import.meta.url), {
      workerData: { decoder } satisfies WorkerSetup,
      execArgv: [], // flags for the program (--input-type, a TypeScript loader) are not for a compiled module
    });
    const jobs = new Map<number, Job>();
    const exited = new Promise<void>((resolve) => worker.once("exit", () => resolve()));
    const member = { worker, jobs, exited };
    worker.on("message", (message: FromWorker) => this.#answer(member, message));
    worker.on("error", (cause) => this.#end(broken(cause.message, cause)));
    worker.on("exit", (code) => this.#end(broken(`one that exited with ${code}`)));
    // A loop that was left without closing its iterator must not keep the process alive: only work does.
    worker.unref();
    return member;
  }

  #dispatch(): void {
    while (this.#waiting.length > 0) {
      const member = this.#members.reduce((a, b) => (b.jobs.size < a.jobs.size ? b : a));
      if (member.jobs.size >= JOBS_PER_WORKER) return;
      const job = this.#waiting.shift()!;
      const id = this.#nextId++;
      if (member.jobs.size === 0) member.worker.ref();
      member.jobs.set(id, job);
      member.worker.postMessage({ id, request: job.request } satisfies ToWorker);
    }
  }

  #answer(member: Member, message: FromWorker): void {
    const job = member.jobs.get(message.id);
    if (job === undefined) return;
    member.jobs.delete(message.id);
    if (member.jobs.size === 0) member.worker.unref();
    if ("outcome" in message) job.resolve(message.outcome);
    else job.reject(broken(message.failure));
    this.#dispatch();
  }

  #end(error: Error): void {
    if (this.#ended) return;
    this.#ended = error;
    const jobs = [...this.#waiting, ...this.#members.flatMap((member) => [...member.jobs.values()])];
    this.#waiting.length = 0;
    for (const member of this.#members) member.jobs.clear();
    for (const job of jobs) job.reject(error);
  }
}

function broken(got: string, cause?: unknown): VideomaeError {
  return new VideomaeError({ op: "loader", expected: "working loader threads", got, cause });
}
