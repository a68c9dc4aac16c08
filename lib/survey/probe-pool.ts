// Processes that look into sources, and the clock that stops one that takes too long: it is killed, the source is bad,
// and a new process takes its place.

import type { ChildProcess } from "node:child_process";
import type { Source } from "../data/source.js";
import { VideomaeError } from "../errors.js";
import { childProcess } from "../library.js";
import type { Probed, ProbeOptions } from "./probe.js";
import type { ProbeAnswer, ProbeRequest } from "./probe-process.js";

/** How sources are handed out. */
export interface PoolOptions {
  readonly workers: number;
  /** Longest time for one source, in seconds. */
  readonly timeout: number;
  readonly signal?: AbortSignal;
}

/**
 * Looks into sources, several at a time, and gives each result as it comes, in no order.
 * Ends early, without an error, when `signal` is aborted.
 * @throws VideomaeError when something other than a source is wrong, such as that there is no decoder
 */
export async function* probeAll(
  sources: readonly Source[],
  options: ProbeOptions,
  { workers, timeout, signal }: PoolOptions,
): AsyncGenerator<{ index: number; probed: Probed }> {
  const results: { index: number; probed: Probed }[] = [];
  let [next, failure, running, wake] = [0, undefined as Error | undefined, 0, () => {}];
  const members = new Set<ProbeMember>();
  const work = async () => {
    let member = new ProbeMember();
    members.add(member);
    try {
      while (next < sources.length && failure === undefined && !signal?.aborted) {
        const index = next++;
        const probed = await member.probe(sources[index], options, timeout);
        if (member.ended && !signal?.aborted && next < sources.length) {
          members.delete(member);
          member = new ProbeMember();
          members.add(member);
        }
        if (signal?.aborted) break;
        results.push({ index, probed });
        wake();
      }
    } catch (error) {
      failure ??= error as Error;
    } finally {
      member.end();
      running--;
      wake();
    }
  };
  const stop = () => {
    for (const member of members) member.end();
  };
  signal?.addEventListener("abort", stop, { once: true });
  try {
    for (; running < Math.min(workers, sources.length); ) {
      running++;
      void work();
    }
    for (;;) {
      while (results.length > 0) yield results.shift()!;
      if (running === 0) break;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    if (failure) throw failure;
  } finally {
    signal?.removeEventListener("abort", stop);
    stop();
  }
}

class ProbeMember {
  ended = false;
  readonly #process: ChildProcess;
  #serial = 0;

  constructor() {
    this.#process = childProcess().fork(new URL("./probe-process.js", import.meta.url), {
      execArgv: [],
      stdio: ["ignore", "ignore", "ignore", "ipc"],
      serialization: "advanced",
    });
  }

  /** Looks into one source. A process that dies of it, or does not answer in time, makes it a bad one. */
  probe(source: Source, options: ProbeOptions, timeout: number): Promise<Probed> {
    const id = this.#serial++;
    return new Promise((resolve, reject) => {
      const settle = (act: () => void) => {
        clearTimeout(clock);
        this.#process.removeAllListeners();
        act();
      };
      const bad = (reason: string) => () => {
        this.end();
        resolve({ good: false, reason });
      };
      const clock = setTimeout(() => settle(bad(`no answer from the decoder in ${timeout} s`)), timeout * 1000);
      this.#process.on("message", (answer: ProbeAnswer) => {
        if (answer.id !== id) return;
        if ("probed" in answer) settle(() => resolve(answer.probed));
        else settle(() => reject(new VideomaeError(answer.failure)));
      });
      this.#process.on("error", (error) => settle(() => reject(error)));
      this.#process.on("exit", (code, by) => settle(bad(`the decoder's process ended with ${by ?? code}`)));
      this.#process.send({ id, source, options } satisfies ProbeRequest, () => {}); // a dead one has said so by its exit
    });
  }

  /** Ends the process at once. */
  end(): void {
    this.ended = true;
    this.#process.kill("SIGKILL");
  }
}
