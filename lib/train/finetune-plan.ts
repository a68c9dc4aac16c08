// What a run that trains a classifier comes to on its data: the clips and their classes, what is measured on, and the model.
import { readFileSync } from "node:fs";
import type { FinetuneRunConfig } from "../config/finetune-config.js";
import { readClassNames } from "../data/class-names.js";
import { directionSensitive } from "../data/direction-words.js";
import { type LabelledMixture, readLabelledMixture } from "../data/labelled-mixture.js";
import { readLabelledSources } from "../data/labelled-sources.js";
import type { ClipAugmentation, LabelledView } from "../data/labelled-view.js";
import { VideoDataset } from "../data/loader.js";
import { parseRandAugment } from "../data/rand-augment.js";
import { VideomaeError } from "../errors.js";
import { type ClassifierConfig, encoderConfig, resolveClassifierConfig } from "../models/classifier-config.js";
import { describeClassifier } from "../weights/open-model.js";
import { positionNotes } from "./position-note.js";

export interface FinetunePlan {
  readonly config: FinetuneRunConfig;
  readonly data: LabelledMixture;
  /** Augmented clips to learn from. */
  readonly dataset: VideoDataset;
  /** Clips to measure on, one view each. */
  readonly validation: VideoDataset | undefined;
  readonly model: ClassifierConfig;
  /** For each class the row of the stored head, where the options give them. */
  readonly labelMap: readonly number[] | undefined;
  /** What the user should know. */
  readonly notes: readonly string[];
}

/**
 * Reads the lists of a run, and what its weights say of themselves; no video, no weight.
 * @throws VideomaeError for data, class names or weights that do not fit the options or each other
 */
export async function planFinetuning(config: FinetuneRunConfig): Promise<FinetunePlan> {
  const { root, framesTemplate, pictures, startIndex, exclude } = config;
  const how = { root: root || undefined, framesTemplate, pictures, startIndex };
  const given = config.classes === "" ? undefined : readClassNames(config.classes);
  const data = readLabelledMixture(config.data, { ...how, exclude: exclude || undefined, classes: given });
  const { classes } = data;
  const model = await modelConfigOf(config, classes.length);
  const { stride, minFrames, views, sampling, shortSide } = config;
  const clip = { frames: model.frames, stride, minFrames, size: model.image };
  const learnt: LabelledView = { sampling, augment: augmentationOf(config) };
  const measured =
    config.validation === ""
      ? undefined
      : readLabelledSources(config.validation, { ...how, classes, allowEmptyClasses: true }).sources;
  return {
    ...{ config, data, model },
    dataset: new VideoDataset(data.sources, { ...clip, views, labelled: learnt }, data),
    validation: measured && new VideoDataset(measured, { ...clip, labelled: { sampling, shortSide } }),
    labelMap: config.labelMap === "" ? undefined : readLabelMap(config.labelMap),
    notes: [...classNotes(config, data), ...positionNotes(config.position, model)],
  };
}

/** The encoder of the weights, or a named one, with a head for the classes. */
async function modelConfigOf(config: FinetuneRunConfig, classes: number): Promise<ClassifierConfig> {
  const { model, weights, image, patch, frames, tubelet, width, depth, heads } = config;
  const { pooling, dropPath, headDropout, headInitScale } = config;
  const encoder = { image, patch, frames, tubelet, width, depth, heads };
  const named = model ?? (weights === "" ? "vit-base" : undefined);
  const base = named ?? encoderConfig(await describeClassifier(weights, defined({ image, frames, heads })));
  return resolveClassifierConfig(base, {
    ...{ ...encoder, classes, dropPath, headDropout, headInitScale },
    ...{ pooling, norm: pooling === "mean" ? "pooled" : "tokens" },
  });
}

function defined<T extends object>(fields: T): Partial<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<T>;
}

function augmentationOf(config: FinetuneRunConfig): ClipAugmentation {
  const { randAugment, cropArea, cropAspect, flip, erase, eraseFill } = config;
  return {
    randAugment: randAugment === "none" ? undefined : parseRandAugment(randAugment),
    crop: { area: cropArea, aspect: cropAspect },
    flip,
    erase: erase > 0 ? { probability: erase, fill: eraseFill } : undefined,
  };
}

function classNotes({ flip }: FinetuneRunConfig, { classes, named }: LabelledMixture): string[] {
  const count = `${classes.length} classes`;
  const note = named ? count : `${count} without names: give --classes, and predictions will say them`;
  const mirrored = flip > 0 ? directionSensitive(classes) : [];
  if (mirrored.length === 0) return [note];
  const shown = mirrored.slice(0, 5).map((name) => `"${name}"`);
  const more = mirrored.length > shown.length ? ` and ${mirrored.length - shown.length} more` : "";
  return [
    note,
    `clips are mirrored (--flip ${flip}), which may change the class of ${shown.join(", ")}${more}; turn it off with --flip 0`,
  ];
}

function readLabelMap(file: string): number[] {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, "utf8"));
  } catch (cause) {
    throw new VideomaeError({ op: file, expected: "a label map in JSON", got: (cause as Error).message, cause });
  }
  if (Array.isArray(value) && value.every((row) => Number.isSafeInteger(row) && row >= 0)) return value;
  throw new VideomaeError({ op: file, expected: "an array of row numbers, such as [12, 0, 7]", got: typeof value });
}
