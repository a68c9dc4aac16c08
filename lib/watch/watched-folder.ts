// What is watched: the folder of a run, or that of a progressive training with a run for each stage. Which of the two it is
// shows when the first file is written, so it is asked at every look.

import { existsSync } from "node:fs";
import path from "node:path";
import { VideomaeError } from "../errors.js";
import { ScheduleState } from "../progressive/schedule-state.js";
import { FolderWatch } from "./folder-watch.js";
import { FileContent, RunFollower } from "./run-follower.js";
import type { PageView, StageEntry } from "./sections.js";

/** Changes that come closer together are looked at together, in milliseconds. */
const GATHER_MS = 150;
/** Between two tellings while much is read, in milliseconds. */
const TELL_MS = 500;
/** The names that stages can have; no other is made part of a path. */
const STAGE_NAME = /^[a-z][\w-]*$/i;

export class WatchedFolder implements Disposable {
  readonly folder: string;
  readonly #pollMs: number;
  readonly #onNews: () => void;
  readonly #runs = new Map<string, { readonly run: RunFollower; readonly watch: FolderWatch | undefined }>();
  readonly #schedule: FileContent<readonly StageEntry[]>;
  readonly #watch: FolderWatch;
  #looking = false;
  #again = false;
  #told = 0;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  /**
   * @param onNews  told when something may have changed
   * @param pollMs  milliseconds between two looks where the system reports no changes
   */
  constructor(folder: string, onNews: () => void, pollMs: number) {
    this.folder = folder;
    this.#onNews = onNews;
    this.#pollMs = pollMs;
    this.#schedule = new FileContent(path.join(folder, "schedule.json"), () => stagesIn(folder));
    this.#watch = new FolderWatch(folder, () => this.#lookSoon(), pollMs);
    this.#lookSoon();
  }

  /** The stages that have begun; none when the folder is that of one run. */
  get stages(): readonly StageEntry[] {
    return this.#schedule.value ?? [];
  }

  /** The stage under way, or the last one; "" where there are none. */
  get currentStage(): string {
    return (this.stages.find(({ done }) => !done) ?? this.stages.at(-1))?.name ?? "";
  }

  /** Whether there is such a stage. */
  has(stage: string): boolean {
    return this.stages.some(({ name }) => name === stage);
  }

  /** The run of a stage, or of the folder itself for ""; it is followed from the first call on. */
  run(stage: string): RunFollower {
    const known = this.#runs.get(stage);
    if (known !== undefined) return known.run;
    const folder = stage === "" ? this.folder : path.join(this.folder, stage);
    const run = new RunFollower(folder, () => this.#tell());
    const watch = stage === "" ? undefined : new FolderWatch(folder, () => this.#lookSoon(), this.#pollMs);
    this.#runs.set(stage, { run, watch });
    this.#lookSoon();
    return run;
  }

  /** All that the page of a stage shows. */
  view(stage: string): PageView {
    const { problem } = this.#schedule;
    const problems = problem === undefined ? [] : [problem];
    const { folder, stages } = this;
    return { folder, run: this.run(stage), stages, stage, problems, now: Date.now() };
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#watch[Symbol.dispose]();
    for (const { watch } of this.#runs.values()) watch?.[Symbol.dispose]();
  }

  #lookSoon(): void {
    this.#again = true;
    if (this.#looking || this.#timer !== undefined || this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#look();
    }, GATHER_MS);
  }

  /** One look at a time. */
  async #look(): Promise<void> {
    this.#looking = true;
    this.#again = false;
    try {
      await this.#schedule.poll();
      for (const { run } of this.#runs.values()) if (!this.#closed) await run.poll();
    } finally {
      this.#looking = false;
    }
    if (this.#closed) return;
    this.#onNews();
    if (this.#again) this.#lookSoon();
  }

  #tell(): void {
    if (this.#closed || Date.now() - this.#told < TELL_MS) return;
    this.#told = Date.now();
    this.#onNews();
  }
}

function stagesIn(folder: string): StageEntry[] | undefined {
  if (!existsSync(path.join(folder, "schedule.json"))) return undefined;
  const stages = new ScheduleState(folder).all().map(({ name, stage, done }) => ({ name, kind: stage, done }));
  const odd = stages.find(({ name }) => !STAGE_NAME.test(name));
  if (odd === undefined) return stages;
  const expected = "stages named with letters, digits, - and _";
  throw new VideomaeError({ op: path.join(folder, "schedule.json"), expected, got: `"${odd.name}"` });
}
