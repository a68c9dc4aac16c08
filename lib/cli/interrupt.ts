// SIGINT and SIGTERM for commands that work for long. The first asks the work to stop in order; a second one ends the
// process at once. Either way its status says so, 130 or 143: whoever started it can tell work that was stopped from
// work that is done.
import { constants } from "node:os";

const DRAIN_MS = 5_000;

/**
 * Does work that can be stopped.
 * @param work  gets a signal that is aborted at the first SIGINT or SIGTERM
 * @param onStop  called then
 */
export async function interruptible(work: (signal: AbortSignal) => Promise<void>, onStop: () => void): Promise<void> {
  const stop = new AbortController();
  const interrupt = (name: NodeJS.Signals) => {
    if (stop.signal.aborted) return endBy(name);
    process.exitCode = 128 + constants.signals[name];
    onStop();
    stop.abort(name);
  };
  const release = () => process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
  // By the signal's own effect, not by exit(): that would tear down threads that are inside a decoder.
  const endBy = (name: NodeJS.Signals) => {
    release();
    process.kill(process.pid, name);
  };
  process.on("SIGINT", interrupt).on("SIGTERM", interrupt);
  try {
    await work(stop.signal);
  } finally {
    release();
    // A thread that is stuck must not keep a process that has done its work.
    if (stop.signal.aborted) setTimeout(() => endBy(stop.signal.reason), DRAIN_MS).unref();
  }
}
