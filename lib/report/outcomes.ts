// How a classifier did in its last validation, as `validation.json` in the folder of its run has it.

import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import type * as zod from "zod";
import { VideomaeError } from "../errors.js";
import { lazy } from "../lazy.js";
import { z } from "../zod.js";

const count = () => z.number().int().min(0);

const schema = lazy(() =>
  z
    .object({
      schema: z.literal("videomae.validation/1"),
      step: count(),
      top1: z.number(),
      classes: z.array(z.object({ name: z.string(), clips: count(), correct: count() })),
      confusion: z.array(z.array(count())),
    })
    .refine(
      ({ classes, confusion }) => [confusion, ...confusion].every(({ length }) => length === classes.length),
      "as many rows and columns as classes",
    ),
);

/** The outcomes of a validation: of K classes, and (K, K) clips of class i (row) that were taken for class j. */
export type Outcomes = zod.infer<ReturnType<typeof schema>>;

/**
 * Undefined where nothing was measured.
 * @throws VideomaeError when the file is not of this format
 */
export function readOutcomes(folder: string): Outcomes | undefined {
  const file = path.join(folder, "validation.json");
  if (!existsSync(file)) return undefined;
  try {
    return schema().parse(JSON.parse(readFileSync(file, "utf8")));
  } catch (cause) {
    const got = cause instanceof z.ZodError ? z.prettifyError(cause) : (cause as Error).message;
    throw new VideomaeError({ op: file, expected: "the report of a validation", got, hint: "remove the file", cause });
  }
}
