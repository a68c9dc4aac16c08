// What an examination of the machine finds: one line a thing, with one cause and one fix where something is amiss.

/** How a check ended; only `problem` is in the way of a run. */
export type Status = "ok" | "warning" | "problem";

/** What one check of `examineMachine` found. */
export interface Finding {
  /** What was looked at, e.g. `processor`; stable. */
  readonly check: string;
  /** `problem`: a run cannot do without it. `warning`: it can, but slower or with less. */
  readonly status: Status;
  readonly found: string;
  /** Why it is not ok. */
  readonly cause?: string;
  /** What to do about it. */
  readonly fix?: string;
  /** The facts behind `found`, for programs. */
  readonly details: Readonly<Record<string, unknown>>;
}

/** A finding that all is well. */
export function fine(check: string, found: string, details: Finding["details"] = {}): Finding {
  return { check, status: "ok", found, details };
}

/** The message of whatever was thrown, its first line. */
export function reasonOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split("\n")[0];
}
