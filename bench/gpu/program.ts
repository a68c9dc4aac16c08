// Runs one program under a time limit and hands on its output line by line. The program gets a process group of its
// own: at the limit the whole group is asked to end and, a moment later, killed, so that nothing outlives its turn.
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** Seconds between asking a program to end and killing it. */
const GRACE = 8;

export interface ProgramOptions {
  readonly cwd: string;
  /** Seconds until the program is asked to end. */
  readonly limit: number;
  readonly env?: NodeJS.ProcessEnv;
  /** A line of standard output or standard error. */
  readonly onLine: (line: string) => void;
  /** Ends the program early. */
  readonly signal?: AbortSignal;
}

export interface Outcome {
  /** Exit status; null when a signal ended the program or it could not be started. */
  readonly status: number | null;
  /** Why there is no ordinary exit: "cut off after 20 s", "killed by SIGSEGV", "nvcc: not found". */
  readonly reason?: string;
  readonly cutOff: boolean;
  readonly seconds: number;
}

/** Runs `argv`; never throws for what the program does. */
export async function runProgram(argv: readonly string[], options: ProgramOptions): Promise<Outcome> {
  const { cwd, limit, env, onLine, signal } = options;
  const begun = performance.now();
  const seconds = () => (performance.now() - begun) / 1000;
  const child = spawn(argv[0], argv.slice(1), { cwd, env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  let cutOff = false;
  const end = () => {
    cutOff = true;
    killGroup(child, "SIGTERM");
  };
  const timers = [setTimeout(end, limit * 1000), setTimeout(() => killGroup(child, "SIGKILL"), (limit + GRACE) * 1000)];
  signal?.addEventListener("abort", end);
  const lines = [child.stdout, child.stderr].map(async (stream) => {
    for await (const line of createInterface({ input: stream })) onLine(line);
  });
  try {
    const [status, killer] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
      child.on("error", reject);
      child.on("exit", (code, by) => resolve([code, by]));
    });
    // What the program left running would hold the pipes open, and the machine.
    killGroup(child, "SIGKILL");
    await Promise.all(lines);
    if (cutOff) return { status, cutOff, seconds: seconds(), reason: `cut off after ${seconds().toFixed(0)} s` };
    if (killer) return { status, cutOff, seconds: seconds(), reason: `killed by ${killer}` };
    return { status, cutOff, seconds: seconds(), ...(status !== 0 && { reason: `exit status ${status}` }) };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const reason = `${argv[0]}: ${code === "ENOENT" ? "not found" : (error as Error).message}`;
    return { status: null, cutOff, seconds: seconds(), reason };
  } finally {
    for (const timer of timers) clearTimeout(timer);
    signal?.removeEventListener("abort", end);
  }
}

function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error; // the group is gone already
  }
}
