// What a run is doing, as far as its folder tells: from the log, and from the lock, which names the process that writes.

import { duration } from "../log/progress.js";
import { numberOf } from "../report/run-record.js";
import type { RunFollower } from "./run-follower.js";

/** So long a log may be silent before it is said. */
const SILENT_SECONDS = 60;

export interface RunState {
  /** One sentence. It stays the same while nothing changes: screen readers say it anew when it does. */
  readonly text: string;
  /** Whether updates are still to come. */
  readonly training: boolean;
}

/** @param now  milliseconds since 1970 */
export function stateOf({ folder, there, log, writer, written, outcomes }: RunFollower, now: number): RunState {
  const still = (text: string) => ({ text, training: false });
  if (there === undefined) return still("Reading what there is");
  if (!there.folder) return still(`Waiting: there is no folder ${folder} yet`);
  if (!there.log) {
    if (outcomes.value !== undefined) return still("Measured on a test set");
    return still(`Waiting: ${folder} has no log.jsonl yet; the folder to watch is the --out of a run`);
  }
  const { last } = log;
  const done = last === undefined ? 0 : last.step;
  const steps = numberOf(last, "steps");
  const silence = silenceText(written, now);
  if (writer?.running === true) {
    const doing = last === undefined ? "Starting" : done >= steps ? "Finishing" : "Training";
    return { text: `${doing}${silence}`, training: true };
  }
  if (done >= steps) return still("Finished");
  const far = last === undefined ? "no update is logged yet" : `the last logged update is ${done} of ${steps}`;
  if (writer === undefined) return still(`Stopped: ${far}. Started again, it goes on`);
  if (writer.running === false) {
    return still(`Ended without a word, process ${writer.process} runs no more: ${far}. Started again, it goes on`);
  }
  const where = `process ${writer.process} on ${writer.host}, which cannot be seen from here`;
  return { text: `Written by ${where}${silence}`, training: true };
}

function silenceText(written: number | undefined, now: number): string {
  const seconds = written === undefined ? 0 : (now - written) / 1000;
  if (seconds < SILENT_SECONDS) return "";
  return `, no line of its log for ${duration(60 * Math.floor(seconds / 60))}`;
}
