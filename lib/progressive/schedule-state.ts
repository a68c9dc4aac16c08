// How far a progressive training has come: `schedule.json` in its folder. It says which stages are done, with which options,
// and how long each took; how far the stage under way has come is for its own checkpoints to say.

import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import type * as zod from "zod";
import { VideomaeError } from "../errors.js";
import { writeFileAtomic } from "../io/atomic-file.js";
import { lazy } from "../lazy.js";
import { z } from "../zod.js";

const stage = () =>
  z.object({
    /** Its kind. */
    stage: z.string(),
    options: z.record(z.string(), z.unknown()),
    done: z.boolean(),
    /** Of computing, over all processes that worked on it: as of the last checkpoint where one was killed. */
    seconds: z.number().min(0),
    /** Updates done. */
    updates: z.number().int().min(0),
    /** The newest checkpoint, relative to the folder of the whole; "" where there is none. */
    checkpoint: z.string(),
  });

const schema = lazy(() =>
  z.object({ schema: z.literal("videomae.schedule/1"), stages: z.record(z.string(), stage()) }),
);

/** What is known of a stage that has begun. */
export type StageState = zod.infer<ReturnType<typeof stage>>;

/** The stages that have begun, by name. */
export class ScheduleState {
  readonly #file: string;
  #stages: Readonly<Record<string, StageState>>;

  /** @throws VideomaeError when the folder's file is not of this format */
  constructor(folder: string) {
    this.#file = path.join(folder, "schedule.json");
    this.#stages = existsSync(this.#file) ? read(this.#file) : {};
  }

  get(name: string): StageState | undefined {
    return Object.hasOwn(this.#stages, name) ? this.#stages[name] : undefined;
  }

  /** The stages that have begun, in order. */
  all(): (StageState & { readonly name: string })[] {
    return Object.entries(this.#stages).map(([name, state]) => ({ name, ...state }));
  }

  /** @throws VideomaeError when the file system refuses */
  set(name: string, state: StageState): void {
    this.#stages = { ...this.#stages, [name]: state };
    const text = JSON.stringify({ schema: "videomae.schedule/1", stages: this.#stages }, undefined, 2);
    writeFileAtomic(this.#file, (sink) => sink(new TextEncoder().encode(`${text}\n`)));
  }
}

function read(file: string): Readonly<Record<string, StageState>> {
  try {
    return schema().parse(JSON.parse(readFileSync(file, "utf8"))).stages;
  } catch (cause) {
    throw new VideomaeError({
      op: file,
      expected: "what a progressive training has written",
      got: cause instanceof z.ZodError ? z.prettifyError(cause) : (cause as Error).message,
      hint: "choose another folder with --out, or remove the file: stages then go on from their own checkpoints",
      cause,
    });
  }
}
