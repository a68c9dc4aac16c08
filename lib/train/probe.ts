// A probe on the features of a frozen encoder: the recipe behind `videomae probe`. The encoder sees every clip once; what is
// trained reads what it saw. So a probe costs an epoch of inference, and then seconds.
import path from "node:path";
import { noGrad } from "../autograd/grad-mode.js";
import {
  type ProbeRunConfig,
  type ProbeRunOptions,
  parseProbeConfig,
  planProbeSteps,
  probeRecipes,
} from "../config/probe-config.js";
import { readClassNames } from "../data/class-names.js";
import { type LabelledMixture, readLabelledMixture } from "../data/labelled-mixture.js";
import { type LabelledSource, readLabelledSources } from "../data/labelled-sources.js";
import { type ClipBatch, type ClipOptions, VideoDataset } from "../data/loader.js";
import { VideomaeError } from "../errors.js";
import { writeFileAtomic } from "../io/atomic-file.js";
import { Accuracy } from "../models/accuracy.js";
import type { ClassifierModel } from "../models/classifier.js";
import { checkProbeConfig, type ProbeConfig, ProbeModel } from "../models/probe.js";
import { crossEntropy } from "../ops/cross-entropy.js";
import { parameterGroups } from "../optim/adamw.js";
import { scope } from "../tensor/scope.js";
import { Tensor } from "../tensor/tensor.js";
import { openClassifier } from "../weights/open-model.js";
import { computeOf, openCompute } from "./compute.js";
import { featureBatches } from "./feature-batches.js";
import { type FeatureRequest, type FeatureStore, openFeatures, parameterHash } from "./feature-store.js";
import type { Stage } from "./run-state.js";
import type { RunControl, RunSummary } from "./training-run.js";

/** What a script can watch and stop of `probe`. */
export type ProbeControl = RunControl<ProbeModel>;

/** What became of a probe. */
export interface ProbeSummary extends RunSummary {
  /** Of the clips that were learnt from, and of those of validation. */
  readonly accuracy: { readonly training: Accuracy; readonly validation?: Accuracy };
  readonly classes: readonly string[];
}

/** How checkpoints of probes are read. */
export const probeStage: Stage<ProbeRunConfig, ProbeConfig> = {
  name: "probe",
  parse: parseProbeConfig,
  describe: checkProbeConfig,
  neutral: () => ["validation", "validateEpochs", "features", "kind", "heads"],
};

/**
 * Trains a probe and leaves checkpoints, a log, features and `accuracy.json` in `options.out`.
 * @throws VideomaeError for bad options or data, for validation clips of other classes, and what training throws
 */
export async function probe(options: ProbeRunOptions, control: ProbeControl = {}): Promise<ProbeSummary> {
  const config = parseProbeConfig(options);
  openCompute(config);
  const data = readLabelled(config);
  const { classes } = data;
  const how = { ...listOptions(config), classes, allowEmptyClasses: true };
  const held = config.validation === "" ? undefined : readLabelledSources(config.validation, how).sources;
  using encoded = await encode(config, data, held, control);
  const { training, validation, encoder } = encoded;
  const { width, heads } = encoder;
  const shape = { kind: config.kind, width, heads: config.heads ?? heads, hidden: 4 * width, classes: classes.length };
  using model = new ProbeModel(shape, { seed: config.seed, device: computeOf(config).device });
  const { runTraining } = await import("./training-run.js");
  const summary = await runTraining(
    {
      ...{ stage: probeStage, book: probeRecipes, config, notes: encoded.notes, dataset: encoded.dataset },
      plan: (stepsPerEpoch: number) => planProbeSteps(config, stepsPerEpoch),
      objective: {
        model,
        groups: parameterGroups(model),
        loss: ({ features, target }: ProbeInputs) =>
          crossEntropy(model.forward(features), target, { smoothing: config.smoothing }),
        blankInputs: () => ({
          features: Tensor.zeros([config.batchSize, ...training.shape]),
          target: Tensor.zeros([config.batchSize], "i32"),
        }),
      },
      classes,
      ...(validation && {
        validation: {
          epochs: config.validateEpochs,
          measure: async () => {
            const { clips, top1, top5, classMean } = measure(model, validation, config.batchSize);
            return { error: 1 - top1, fields: { clips, top1, top5, classMean } };
          },
        },
      }),
      batches: (loading) => featureBatches(training, loading),
      inputsOf: (batch: ClipBatch) => ({ features: batch.video, target: targetOf(batch.labels) }),
    },
    control,
  );
  model.train(false);
  const accuracy = {
    training: measure(model, training, config.batchSize),
    ...(validation && { validation: measure(model, validation, config.batchSize) }),
  };
  if (summary.done === summary.steps) writeAccuracy(path.join(config.out, "accuracy.json"), accuracy, classes);
  return { ...summary, accuracy, classes };
}

/** Features f32 (B, D) or (B, N, D), and classes i32 (B). */
interface ProbeInputs extends Record<string, Tensor> {
  readonly features: Tensor;
  readonly target: Tensor;
}

function targetOf(labels: readonly (number | undefined)[]): Tensor {
  return Tensor.fromArray(
    Int32Array.from(labels, (label) => label!),
    [labels.length],
  );
}

/** What a list says beside its own lines. */
function listOptions({ root, framesTemplate, pictures, startIndex }: ProbeRunConfig) {
  return { root: root || undefined, framesTemplate, pictures, startIndex };
}

function readLabelled(config: ProbeRunConfig): LabelledMixture {
  const classes = config.classes === "" ? undefined : readClassNames(config.classes);
  const how = { ...listOptions(config), exclude: config.exclude || undefined, classes };
  const mixture = readLabelledMixture(config.data, how);
  if (mixture.parts.length === 1) return mixture;
  throw new VideomaeError({
    op: "probe data",
    expected: "one list or folder",
    got: `a mixture of ${mixture.parts.length}`,
    hint: "merge the data sets (videomae merge-lists)",
  });
}

interface Encoded extends Disposable {
  readonly training: FeatureStore;
  readonly validation: FeatureStore | undefined;
  readonly encoder: ClassifierModel["config"];
  /** The clips that are learnt from. */
  readonly dataset: VideoDataset;
  readonly notes: readonly string[];
}

/** Features of both sets; the encoder is gone when they are there. */
async function encode(
  config: ProbeRunConfig,
  data: LabelledMixture,
  held: readonly LabelledSource[] | undefined,
  control: ProbeControl,
): Promise<Encoded> {
  const { device, dtype } = computeOf(config);
  const { model } = await openClassifier(config.weights, { device, dtype });
  using encoder = model;
  const folder = config.features || path.join(config.out, "features");
  const identity = { encoder: parameterHash(encoder), model: encoder.config, kind: config.kind, dtype };
  const { batchSize, workers, decoder, decodeTimeout, maxBadFraction } = config;
  const notes: string[] = [];
  const features = async (name: string, dataset: VideoDataset) => {
    const { store, computed } = await openFeatures({
      ...{ folder, name, identity, dataset, signal: control.signal },
      loading: {
        ...{ batchSize, workers, decoder, decodeTimeout, maxBadFraction },
        onBadFile: (file) => control.onBadFile?.(file),
      },
      encode: (video) => (config.kind === "linear" ? encoder.features(video) : encoder.tokens(video)),
    } satisfies FeatureRequest);
    const origin = computed === 0 ? `found in ${folder}` : `computed, and kept in ${folder}`;
    notes.push(`features of ${store.clips} of ${dataset.length} ${name} clips: ${origin}`);
    return store;
  };
  const clips = clipsOf(config, encoder);
  const dataset = new VideoDataset(data.sources, clips, data);
  const training = await features("training", dataset);
  const validation = held && (await features("validation", new VideoDataset(held, clips)));
  const dispose = () => {
    training[Symbol.dispose]();
    validation?.[Symbol.dispose]();
  };
  return { training, validation, encoder: encoder.config, dataset, notes, [Symbol.dispose]: dispose };
}

/** Clips as validation sees them: the middle of the video and of the frame. */
function clipsOf({ stride, sampling, shortSide, minFrames }: ProbeRunConfig, { config }: ClassifierModel): ClipOptions {
  return { frames: config.frames, stride, size: config.image, minFrames, labelled: { sampling, shortSide } };
}

function measure(model: ProbeModel, store: FeatureStore, batchSize: number): Accuracy {
  const { classes } = model.config;
  const accuracy = new Accuracy(classes);
  for (let first = 0; first < store.clips; first += batchSize) {
    const clips = Array.from({ length: Math.min(batchSize, store.clips - first) }, (_, i) => first + i);
    const shape = [clips.length, ...store.shape];
    const features = new Float32Array(shape.reduce((product, n) => product * n, 1));
    store.read(clips, features);
    const { device } = model.head.weight.value;
    const scores = scope(() =>
      noGrad(() => model.forward(Tensor.fromArray(features, shape, "f32", device)).readSync()),
    );
    for (const [i, clip] of clips.entries()) {
      accuracy.add(scores.subarray(i * classes, (i + 1) * classes) as Float32Array, store.labels[clip]);
    }
  }
  return accuracy;
}

function writeAccuracy(file: string, accuracy: ProbeSummary["accuracy"], classes: readonly string[]): void {
  const report = Object.entries(accuracy).map(([set, measured]) => {
    const { clips, top1, top5, classMean } = measured;
    const rates = measured.perClass().map((rate, k) => ({ name: classes[k], ...rate }));
    return [set, { clips, top1, top5, classMean, classes: rates }];
  });
  const text = JSON.stringify({ schema: "videomae.probe/1", ...Object.fromEntries(report) }, undefined, 2);
  writeFileAtomic(file, (sink) => sink(new TextEncoder().encode(`${text}\n`)));
}
