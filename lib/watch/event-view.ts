// What TensorBoard's event files of a run tell beside its log: when each update was made, which a log does not say, and
// pictures of what the model has learnt.

import { readdir } from "node:fs/promises";
import path from "node:path";
import type { EncodedPicture } from "../log/event-file.js";
import { EventFollower, type EventRecord } from "../log/event-follower.js";

/** Pictures of a name that are kept: a run that goes on from an earlier checkpoint shows the one of that time. */
const KEPT = 4;

export interface DatedPicture extends EncodedPicture {
  readonly step: number;
  /** Tells it from every other one of the run. */
  readonly serial: number;
}

/** An update as event files have it. */
export interface DatedUpdate {
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly step: number;
  /** Of this update. */
  readonly clips: number;
  readonly waitedMs: number;
}

export interface EventViewer {
  onUpdate(update: DatedUpdate): void;
  /** A run begins or goes on: updates from this step on count no longer. */
  onStart(step: number): void;
  onChunk(): void;
}

export class EventView {
  readonly #folder: string;
  readonly #viewer: EventViewer;
  readonly #files = new Map<string, EventFollower>();
  readonly #pictures = new Map<string, DatedPicture[]>();
  #serial = 0;
  #restarted = false;

  constructor(folder: string, viewer: EventViewer) {
    this.#folder = folder;
    this.#viewer = viewer;
  }

  /** Whether there are such files. */
  get exists(): boolean {
    return this.#files.size > 0;
  }

  /** Files that cannot be read to their ends, and from which byte on. */
  get damaged(): [file: string, byte: number][] {
    return [...this.#files].flatMap(([name, { damagedAt }]) => (damagedAt === undefined ? [] : [[name, damagedAt]]));
  }

  /** The newest picture of each name, by name. */
  get pictures(): [name: string, picture: DatedPicture][] {
    const list = [...this.#pictures].flatMap(([name, of]): [string, DatedPicture][] => {
      const last = of.at(-1);
      return last ? [[name, last]] : [];
    });
    return list.sort(([a], [b]) => inOrder.compare(a, b));
  }

  /** Reads what is new. */
  async poll(): Promise<void> {
    const names = (await namesIn(this.#folder)).sort(inOrder.compare);
    if ([...this.#files.keys()].some((name) => !names.includes(name))) this.#forget(); // moved aside: another run
    for (const name of names) {
      const known = this.#files.get(name) ?? this.#follow(name);
      await known.poll();
      if (!this.#restarted) continue;
      // An event file is only appended to: what was read of this one was of another. All are read anew at the next look.
      this.#forget();
      return;
    }
  }

  #follow(name: string): EventFollower {
    const follower = new EventFollower(path.join(this.#folder, name), {
      onRestart: () => {
        this.#restarted = true;
      },
      onRecord: (record) => this.#take(record),
      onChunk: () => this.#viewer.onChunk(),
    });
    this.#files.set(name, follower);
    return follower;
  }

  #forget(): void {
    this.#restarted = false;
    this.#files.clear();
    this.#rewind(Number.NEGATIVE_INFINITY);
  }

  #rewind(step: number): void {
    for (const [name, list] of this.#pictures) {
      this.#pictures.set(
        name,
        list.filter((picture) => picture.step < step),
      );
    }
    this.#viewer.onStart(step);
  }

  #take({ time, step, start, scalars, pictures }: EventRecord): void {
    if (start) this.#rewind(step);
    for (const [name, picture] of pictures) {
      const list = this.#pictures.get(name) ?? [];
      this.#pictures.set(name, [...list.slice(1 - KEPT), { ...picture, step, serial: ++this.#serial }]);
    }
    const clips = scalars.get("train/clips");
    if (clips !== undefined) {
      this.#viewer.onUpdate({ time, step, clips, waitedMs: scalars.get("train/waitedMs") ?? 0 });
    }
  }
}

/** By the numbers in names: the time a file was made, and which of that time it is. */
const inOrder = new Intl.Collator("en", { numeric: true });

async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter((name) => name.startsWith("events.out.tfevents."));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
