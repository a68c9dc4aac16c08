// Finding the weights that a path means: a file, the folder of a run, or a folder as a model hub has it. Files beside them
// that say what model they are of are found here too.

import { readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { VideomaeError } from "../errors.js";
import { explainFileError } from "../io/atomic-file.js";
import { type CheckpointState, openCheckpoint } from "../io/checkpoint.js";
import { latestCheckpoint } from "../io/checkpoint-folder.js";
import { openSafetensors } from "../io/safetensors.js";
import { type HubConfig, type HubPreprocessing, readHubConfig, readHubPreprocessing } from "./hub-config.js";
import type { WeightSource } from "./weight-source.js";

/** Weights and what is said about them; close it, or hold it by `using`. */
export interface OpenWeights extends Disposable {
  readonly source: WeightSource;
  /** Of a checkpoint that a run of this package wrote: its state. */
  readonly run?: CheckpointState;
  readonly hub?: HubConfig;
  readonly preprocessing?: HubPreprocessing;
}

/** Names that weights have in the folders of model hubs, the likeliest first. */
const hubFiles = ["model.safetensors"];

/** Opens the weights that `path` names: a file, or a folder with checkpoints of a run or the files of a model hub. */
export function openWeightsAt(path: string): OpenWeights {
  const file = isFolder(path) ? fileIn(path) : path;
  const stored = openSafetensors(file);
  try {
    const run = stored.metadata.has("videomae") ? verifiedState(file) : undefined;
    const names = run === undefined ? stored.names : stored.names.filter((name) => name.startsWith("model."));
    const source: WeightSource = {
      path: file,
      names,
      entry: (name) => stored.entry(name),
      read: (name) => stored.read(name),
    };
    const close = () => stored.close();
    const folder = dirname(file);
    if (run !== undefined) return { source, run, [Symbol.dispose]: close };
    const [hub, preprocessing] = [readHubConfig(folder), readHubPreprocessing(folder)];
    return { source, hub, preprocessing, [Symbol.dispose]: close };
  } catch (error) {
    stored.close();
    throw error;
  }
}

/** The state of a run's checkpoint, whose content is checked against its hash. */
function verifiedState(path: string): CheckpointState {
  using checkpoint = openCheckpoint(path);
  return checkpoint.state;
}

function isFolder(path: string): boolean {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat !== undefined) return stat.isDirectory();
  throw new VideomaeError({ op: "weights", expected: "a file or folder", got: `nothing at ${path}` });
}

function fileIn(folder: string): string {
  const checkpoint = latestCheckpoint(folder);
  if (checkpoint !== undefined) return checkpoint.path;
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (cause) {
    throw explainFileError("list", folder, cause);
  }
  const named = hubFiles.find((name) => names.includes(name));
  if (named !== undefined) return join(folder, named);
  const candidates = names.filter((name) => name.endsWith(".safetensors") && !name.startsWith("."));
  if (candidates.length === 1) return join(folder, candidates[0]);
  throw new VideomaeError({
    op: `weights in ${folder}`,
    expected: `checkpoint-<step>.safetensors of a run, ${hubFiles.join(", ")}, or one file of weights`,
    got: candidates.length === 0 ? "none" : candidates.join(", "),
    hint: "name the file",
  });
}
