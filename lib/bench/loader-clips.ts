// The videos that the loader is measured with: those that the user names, or made ones in a temporary folder.

import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { findDecoder } from "../data/find-decoder.js";
import { childProcess } from "../library.js";
import { madeSource, makeClips } from "./made-clips.js";
import type { Clips } from "./suite.js";

const MADE_FRAMES = 96;

export class LoaderClips implements Disposable {
  readonly #given: { readonly data: string; readonly root?: string } | undefined;
  #folder: string | undefined;
  #clips: Promise<Clips> | undefined;

  /** @param given  a folder of videos, or a list */
  constructor(given?: { readonly data: string; readonly root?: string }) {
    this.#given = given;
  }

  /** Why there is nothing to read, or nothing to read it with; undefined where there is. */
  async missing(): Promise<string | undefined> {
    if (this.#given !== undefined) return undefined;
    const { error } = childProcess().spawnSync("ffmpeg", ["-version"], { stdio: "ignore" });
    if (error) return "there is no program ffmpeg to make videos with; name some of your own with --data";
    return findDecoder().then(
      () => undefined,
      (reason: Error) => reason.message,
    );
  }

  /** The clips; they are made when they are first asked for. */
  get(): Promise<Clips> {
    this.#clips ??= this.#make();
    return this.#clips;
  }

  async #make(): Promise<Clips> {
    if (this.#given !== undefined) return { ...this.#given, source: path.resolve(this.#given.data) };
    this.#folder = mkdtempSync(path.join(os.tmpdir(), "videomae-bench-"));
    await makeClips(this.#folder, MADE_FRAMES);
    return { data: this.#folder, source: madeSource(MADE_FRAMES) };
  }

  /** Removes what was made. */
  [Symbol.dispose](): void {
    if (this.#folder !== undefined) rmSync(this.#folder, { recursive: true, force: true });
  }
}
