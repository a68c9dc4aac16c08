// A process that looks into one source after another. It is a process of its own, not a thread, because a decoder that
// hangs or crashes on a damaged file takes down whatever it runs in.

import type { Source } from "../data/source.js";
import { type ErrorParts, VideomaeError } from "../errors.js";
import { type Probed, type ProbeOptions, probe } from "./probe.js";

/** To the process. */
export interface ProbeRequest {
  readonly id: number;
  readonly source: Source;
  readonly options: ProbeOptions;
}

/** From it: what was found, or a failure that is not the source's. */
export type ProbeAnswer =
  | { readonly id: number; readonly probed: Probed }
  | { readonly id: number; readonly failure: ErrorParts };

process.on("message", async ({ id, source, options }: ProbeRequest) => {
  const answer: ProbeAnswer = await probe(source, options).then(
    (probed) => ({ id, probed }),
    (error) => ({ id, failure: partsOf(error) }),
  );
  process.send!(answer);
});
process.on("disconnect", () => process.exit());
// A terminal's Ctrl-C goes to every process; the one that asked decides what it means.
process.on("SIGINT", () => {});

/** An error as it can be sent: without its cause, which may hold anything. */
function partsOf(error: unknown): ErrorParts {
  if (!(error instanceof VideomaeError)) return { op: "survey", got: String(error) };
  const { op, expected, got, hint } = error;
  return { op, expected, got, hint };
}
