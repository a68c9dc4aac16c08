// A teacher's scores of the batches of a run, kept in files for other students that see the same clips, or for the same one
// when it goes on: the teacher then computes nothing. A file is of one batch and written whole or not at all; it says of
// which teacher, clips and mixing it is, and one of others is made anew.
//
//   <folder>/scores-<step>.safetensors     scores f32 (B, K), rows in the order of the clips' keys (epoch, place, view)

import { existsSync, mkdirSync } from "node:fs";
import path from "node:path";
import { noGrad } from "../autograd/grad-mode.js";
import type { ClipBatch, VideoDataset } from "../data/loader.js";
import { openSafetensors, writeSafetensors } from "../io/safetensors.js";
import { cryptography } from "../library.js";
import type { ClassifierModel } from "../models/classifier.js";
import { scope } from "../tensor/scope.js";
import { Tensor } from "../tensor/tensor.js";
import { parameterHash } from "./feature-store.js";
import { listHash } from "./run-state.js";

export interface TeacherScoresOptions {
  readonly folder: string;
  readonly teacher: ClassifierModel;
  readonly dataset: VideoDataset;
  /** All that clips and scores depend on besides teacher and data set; compared as JSON. */
  readonly identity: object;
}

export class TeacherScores {
  readonly #folder: string;
  readonly #teacher: ClassifierModel;
  readonly #identity: string;

  constructor({ folder, teacher, dataset, identity }: TeacherScoresOptions) {
    this.#folder = folder;
    this.#teacher = teacher;
    const all = [parameterHash(teacher), teacher.config, listHash(dataset.sources), dataset.clip, identity];
    this.#identity = JSON.stringify(all);
    mkdirSync(folder, { recursive: true });
  }

  /**
   * The scores of a batch, f32 (B, K): read, or computed and written.
   * @param clipsOf  makes of `inputs` what the teacher sees; called only where it has not seen them
   * @throws VideomaeError when a file is damaged or cannot be written
   */
  of<I>(batch: ClipBatch, clipsOf: (inputs: I) => Tensor, inputs: I): Tensor {
    const { classes } = this.#teacher.config;
    const shape = [batch.keys.length, classes];
    const file = path.join(this.#folder, `scores-${String(batch.step).padStart(8, "0")}.safetensors`);
    // A bad file that was replaced makes another batch.
    const key = [this.#identity, JSON.stringify([batch.keys, batch.sources])].join("\n");
    const identity = cryptography().createHash("sha256").update(key).digest("hex");
    const known = readScores(file, identity);
    const scores =
      known ?? scope(() => noGrad(() => this.#teacher.forward(clipsOf(inputs)).readSync() as Float32Array));
    if (known === undefined) {
      writeSafetensors(file, [{ name: "scores", dtype: "F32", shape, data: scores }], { identity });
    }
    return Tensor.fromArray(scores, shape);
  }
}

function readScores(file: string, identity: string): Float32Array | undefined {
  if (!existsSync(file)) return undefined;
  using stored = openSafetensors(file);
  return stored.metadata.get("identity") === identity ? (stored.read("scores") as Float32Array) : undefined;
}
