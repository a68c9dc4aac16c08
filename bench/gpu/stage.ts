// The run of a stage: its commands get the stage's share of the time that is left, every JSON line they print becomes a
// row, and the stage ends in a row of its own. A stage that fails is recorded; the next one runs.
import { type Outcome, runProgram } from "./program.js";
import type { Recorder, ResultRow } from "./recorder.js";

/** Less than this is not worth starting a command for. */
const LEAST_SECONDS = 2;

export interface CommandLimits {
  /** Seconds at most, beside the stage's own end. */
  readonly limit?: number;
  readonly env?: NodeJS.ProcessEnv;
  /** What the row of a JSON line is made into. */
  readonly row?: (row: ResultRow) => ResultRow;
  /** Sees the lines that are no rows. */
  readonly onLine?: (line: string) => void;
  /** Exit statuses that mean "cannot be done on this machine", not a failure; "any" where the program is optional. */
  readonly unavailable?: readonly number[] | "any";
}

/** What a stage works with. */
export interface StageRun {
  /** Seconds left to the stage. */
  left(): number;
  /** Runs a program from the bundle's checkout. What goes wrong is recorded. */
  command(argv: readonly string[], limits?: CommandLimits): Promise<Outcome>;
  row(row: ResultRow): void;
  /** Records that something cannot be done on this machine, with the reason. */
  unavailable(what: string, reason: string): void;
}

export interface Stage {
  readonly name: string;
  /** Its share of the remaining time, relative to the stages that follow. */
  readonly weight: number;
  run(run: StageRun): Promise<void>;
}

export interface StageSummary {
  readonly stage: string;
  readonly status: "ok" | "failed" | "unavailable" | "cut off" | "no time left";
  readonly rows: number;
  readonly seconds: number;
  readonly reasons: readonly string[];
}

/** Runs the stages in order within `budget` seconds and returns what became of each. */
export async function runStages(
  stages: readonly Stage[],
  budget: number,
  recorder: Recorder,
  options: { cwd: string; signal?: AbortSignal; say?: (line: string) => void },
): Promise<StageSummary[]> {
  const end = performance.now() + budget * 1000;
  const summaries: StageSummary[] = [];
  for (const [i, stage] of stages.entries()) {
    const left = (end - performance.now()) / 1000;
    const weights = stages.slice(i).reduce((sum, { weight }) => sum + weight, 0);
    const share = left * (stage.weight / weights);
    const summary =
      share < LEAST_SECONDS || options.signal?.aborted
        ? { stage: stage.name, status: "no time left" as const, rows: 0, seconds: 0, reasons: [] }
        : await runStage(stage, share, recorder, options);
    recorder.row({ bench: "stage", ...summary });
    options.say?.(describe(summary));
    summaries.push(summary);
  }
  return summaries;
}

async function runStage(
  stage: Stage,
  seconds: number,
  recorder: Recorder,
  { cwd, signal, say }: { cwd: string; signal?: AbortSignal; say?: (line: string) => void },
): Promise<StageSummary> {
  const begun = performance.now();
  const left = () => seconds - (performance.now() - begun) / 1000;
  const failures: string[] = [];
  const absences: string[] = [];
  let [rows, cutOff] = [0, false];
  const record = (row: ResultRow) => {
    rows++;
    recorder.row({ stage: stage.name, ...row });
    say?.(`      ${JSON.stringify(row).slice(0, 200)}`);
  };

  const command = async (argv: readonly string[], limits: CommandLimits = {}): Promise<Outcome> => {
    const limit = Math.min(left(), limits.limit ?? Number.POSITIVE_INFINITY);
    const what = argv.map((word) => word.split("/").at(-1)).join(" ");
    if (limit < LEAST_SECONDS || signal?.aborted) {
      cutOff = true;
      return { status: null, cutOff: true, seconds: 0, reason: `${what}: no time left` };
    }
    say?.(`   ${what}`);
    recorder.log(`== ${stage.name}: ${argv.join(" ")}`);
    const outcome = await runProgram(argv, {
      cwd,
      limit,
      env: { ...process.env, ...limits.env },
      signal,
      onLine: (line) => {
        const row = parseRow(line);
        if (row) return record(limits.row ? limits.row(row) : row);
        recorder.log(line);
        limits.onLine?.(line);
      },
    });
    const { reason, status, seconds: took } = outcome;
    recorder.log(`== ${reason ?? "exit status 0"}, ${took.toFixed(1)} s`);
    if (reason === undefined) return outcome;
    record({ bench: "command", command: what, reason, seconds: took });
    const { unavailable = [] } = limits;
    if (outcome.cutOff) cutOff = true;
    else if (unavailable === "any" || (status !== null && unavailable.includes(status))) absences.push(what);
    else failures.push(`${what}: ${reason}`);
    return outcome;
  };

  const run: StageRun = {
    left,
    command,
    row: record,
    unavailable(what, reason) {
      absences.push(what);
      record({ bench: "unavailable", what, reason });
    },
  };

  try {
    await stage.run(run);
  } catch (error) {
    recorder.log((error as Error).stack ?? String(error));
    failures.push((error as Error).message);
  }
  const status =
    failures.length > 0 ? "failed" : cutOff ? "cut off" : absences.length > 0 ? "unavailable" : ("ok" as const);
  const reasons = [...failures, ...absences.map((what) => `${what}: not on this machine`)];
  return { stage: stage.name, status, rows, seconds: Number(((performance.now() - begun) / 1000).toFixed(1)), reasons };
}

/** A line that is one JSON object; undefined for any other. */
function parseRow(line: string): ResultRow | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    return JSON.parse(line) as ResultRow;
  } catch {
    return undefined;
  }
}

function describe({ stage, status, rows, seconds, reasons }: StageSummary): string {
  return [`${stage}: ${status}, ${rows} rows, ${seconds} s`, ...reasons.map((reason) => `   ${reason}`)].join("\n");
}
