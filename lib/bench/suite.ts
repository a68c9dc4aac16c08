// The suite of `videomae bench`: what is measured, in which order, and about how long each piece takes beside the others.
// With PyTorch each kind of work is done by both in turn, round after round, since a machine changes from minute to minute
// and only times of one sitting can be compared.
import path from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { modelName, modelSize } from "../models/sizes.js";
import type { Device } from "../tensor/dtype.js";
import { emptyCache, threads } from "../tensor/memory.js";
import type { MeasuredOn } from "./measured-on.js";
import { type Peers, runForRows } from "./peers.js";
import type { Row } from "./row.js";
import {
  attentionShapes,
  ceilingProduct,
  gemmShapes,
  layerProducts,
  layerShapes,
  type ProductShape,
} from "./shapes.js";
import type { Repeats } from "./time-calls.js";

export const sections = ["kernels", "step", "classifier", "loader"] as const;
export type Section = (typeof sections)[number];

/** Videos for the loader. */
export interface Clips {
  readonly data: string;
  readonly root?: string;
  /** What rows say of them. */
  readonly source: string;
}

/** What is measured, and for how long. */
export interface BenchmarkOptions {
  readonly only: readonly Section[];
  readonly device: Device;
  readonly dtype: MeasuredOn["dtype"];
  /** "full": minutes; "quick": about one; "tiny": a second, to show that everything runs. */
  readonly length: "full" | "quick" | "tiny";
  /** Models of steps and classifiers; default: small and base, on a GPU base and large. */
  readonly models?: readonly string[];
  /** Clips in the batch of a step; default 2, on a GPU 32. */
  readonly clips?: number;
  /** Asked for when the loader's turn comes, and needed with the section "loader" only. */
  readonly loaderClips?: () => Promise<Clips>;
  readonly workers: number;
  readonly rounds: number;
  readonly pytorch?: Peers;
}

/** A piece of the suite. */
export interface Work {
  readonly label: string;
  /** About how long it takes, beside the others. */
  readonly weight: number;
  /** Measures; hands on each row. */
  readonly run: (onRow: (row: Row) => void, signal: AbortSignal) => Promise<void>;
}

/** What the length of a run means for each kind of work. */
const lengths: Record<BenchmarkOptions["length"], Record<"kernel" | "model" | "loader", Repeats>> = {
  full: {
    kernel: { seconds: 0.6, least: 7, most: 500 },
    model: { seconds: 8, least: 5, most: 50 },
    loader: { seconds: 8, least: 5, most: 50 },
  },
  quick: {
    kernel: { seconds: 0.2, least: 5, most: 200 },
    model: { seconds: 3, least: 3, most: 20 },
    loader: { seconds: 4, least: 3, most: 20 },
  },
  tiny: {
    kernel: { seconds: 0, least: 2, most: 2 },
    model: { seconds: 0, least: 2, most: 2 },
    loader: { seconds: 0, least: 1, most: 1 },
  },
};

const passes = ["forward", "forward+backward"] as const;
const LOADER_BATCH = 2;

/**
 * The pieces of a run, in order.
 * @throws VideomaeError when there is no such model
 */
export function planBenchmarks(options: BenchmarkOptions): Work[] {
  for (const model of options.models ?? []) modelSize(model);
  const rounds = Array.from({ length: options.rounds }, (_, i) => (options.rounds > 1 ? i + 1 : undefined));
  return rounds.flatMap((round) => [
    peak(options, round),
    ...options.only.flatMap((section) => [...ours[section](options, round), ...theirs(section, options, round)]),
  ]);
}

/**
 * Does one piece after the other.
 * @param onBegin  called before each
 * @param signal  ends the run between two pieces of ours, and at once in one of PyTorch's
 */
export async function runBenchmarks(
  works: readonly Work[],
  device: Device,
  onRow: (row: Row) => void,
  onBegin: (work: Work, index: number) => void,
  signal: AbortSignal,
): Promise<void> {
  for (const [index, work] of works.entries()) {
    await turn(); // a signal is heard, and a bar drawn, only when the event loop turns
    if (signal.aborted) return;
    onBegin(work, index);
    await work.run(onRow, signal);
    emptyCache(device);
  }
}

/** The product by which others are judged: what the device reaches where nothing is in the way. */
function peak(options: BenchmarkOptions, round: number | undefined): Work {
  const { device, length } = options;
  const onCpu = device === "cpu";
  const tiny = length === "tiny";
  const shape = tiny ? gemmShapes(true)[0] : onCpu ? peakProduct() : ceilingProduct();
  return product(options, shape, round, "what products reach");
}

const peakProduct = (): ProductShape => gemmShapes(false).find(({ layout }) => layout === "nt")!;

function product(options: BenchmarkOptions, shape: ProductShape, round: number | undefined, label?: string): Work {
  const repeats = lengths[options.length].kernel;
  const { name, m, n, k, layout } = shape;
  return {
    label: label ?? `product ${name}, ${m} x ${n} x ${k} ${layout}`,
    weight: repeats.seconds + 0.2,
    run: async (onRow) => {
      const { measureProduct } = await import("./kernels.js");
      onRow(measureProduct(on(options, round), shape, repeats));
    },
  };
}

const on = ({ device, dtype, length }: BenchmarkOptions, round: number | undefined): MeasuredOn => ({
  ...{ device, dtype, round },
  tiny: length === "tiny",
});

const ours: Record<Section, (options: BenchmarkOptions, round: number | undefined) => Work[]> = {
  kernels: (options, round) => {
    const { device, length } = options;
    const tiny = length === "tiny";
    const { kernel } = lengths[length];
    const known = tiny ? [] : device === "cpu" ? gemmShapes(false) : layerShapes().flatMap(layerProducts);
    const products = known.filter(
      (shape) => device !== "cpu" || JSON.stringify(shape) !== JSON.stringify(peakProduct()),
    );
    const attentions = attentionShapes(tiny, device === "cpu" ? "cpu" : "cuda");
    return [
      ...products.map((shape) => product(options, shape, round)),
      ...attentions.flatMap((shape) =>
        passes.map((pass) => ({
          label: `attention ${shape.name}, ${pass}`,
          weight: kernel.seconds + 0.2,
          run: async (onRow: (row: Row) => void) => {
            const { measureAttention } = await import("./kernels.js");
            onRow(measureAttention(on(options, round), shape, pass, kernel));
          },
        })),
      ),
    ];
  },
  step: (options, round) =>
    stepModels(options).map((model) => ({
      label: `training step of ${model}`,
      weight: 1.5 * lengths[options.length].model.seconds + 4,
      run: async (onRow) => {
        const { measureStep } = await import("./step.js");
        const work = { ...on(options, round), model, clips: stepClips(options) };
        onRow(measureStep(work, lengths[options.length].model));
      },
    })),
  classifier: (options, round) =>
    classifierModels(options).map((model) => ({
      label: `classifier of ${model}`,
      weight: 1.5 * lengths[options.length].model.seconds + 2,
      run: async (onRow) => {
        const { measureClassifier } = await import("./classifier.js");
        const work = { ...on(options, round), model, clips: classifierClips(options) };
        onRow(measureClassifier(work, lengths[options.length].model));
      },
    })),
  loader: (options, round) =>
    (["pretrain", "finetune"] as const).map((clipsOf) => ({
      label: `loader, clips to ${clipsOf}`,
      weight: 1.5 * lengths[options.length].loader.seconds + (clipsOf === "pretrain" ? 6 : 2),
      run: async (onRow) => {
        const { measureLoader } = await import("./loader.js");
        const { workers, length } = options;
        const files = await options.loaderClips!();
        const work = {
          clipsOf,
          ...files,
          clips: LOADER_BATCH,
          workers,
          size: loaderSize(length),
          round,
          tiny: length === "tiny",
        };
        onRow(await measureLoader(work, lengths[length].loader));
      },
    })),
};

/** PyTorch's part in a section; of the loader the clips with augmentations, which are most work. */
function theirs(section: Section, options: BenchmarkOptions, round: number | undefined): Work[] {
  const { pytorch, device, dtype, length, workers } = options;
  if (pytorch === undefined) return [];
  const onCpu = device === "cpu" || section === "loader";
  const shared = [
    ...["--device", onCpu ? "cpu" : "cuda", "--dtypes", dtype],
    ...(onCpu ? ["--threads", `${section === "loader" ? workers : threads()}`] : []),
    ...(round === undefined ? [] : ["--round", `${round}`]),
    ...(length === "tiny" ? ["--quick"] : []),
    ...["--budget", length === "full" ? "180" : "60"],
  ];
  return peers[section](options).map(([script, ...rest]) => ({
    label: `PyTorch, ${script}`,
    weight: section === "step" && length === "full" ? 60 : 15,
    run: async (onRow, signal) => {
      const data = section === "loader" ? await loaderArguments(options) : [];
      await runForRows([pytorch.python, path.join(pytorch.folder, script), ...shared, ...rest, ...data], onRow, signal);
    },
  }));
}

/** Scripts and what they are told beside what all are. */
const peers: Record<Section, (options: BenchmarkOptions) => readonly (readonly string[])[]> = {
  kernels: () => [["gemm.py"], ["attention.py"]],
  step: (options) => [
    ["pretrain_step.py", "--models", ...stepModels(options), "--clips", `${stepClips(options)}`, ...compile(options)],
  ],
  classifier: (options) => {
    const models = ["--models", ...classifierModels(options)];
    return [["classifier.py", ...models, "--clips", `${classifierClips(options)}`, ...compile(options)]];
  },
  loader: () => [["loader.py"]],
};

/** Compiling takes PyTorch a minute or two a model. */
const compile = ({ length }: BenchmarkOptions) => ["--compile", "none", ...(length === "full" ? ["default"] : [])];

async function loaderArguments({ loaderClips, length }: BenchmarkOptions): Promise<string[]> {
  const { data, root, source } = await loaderClips!();
  return [
    ...["--data", data, "--source", source, "--clips", `${LOADER_BATCH}`, "--size", `${loaderSize(length)}`],
    ...["--seconds", `${lengths[length].loader.seconds}`],
    ...(root === undefined ? [] : ["--root", root]),
  ];
}

const loaderSize = (length: BenchmarkOptions["length"]): number => (length === "tiny" ? 32 : 224);

function stepModels({ models, device, length }: BenchmarkOptions): string[] {
  if (models !== undefined) return models.map(modelName);
  if (length === "tiny") return ["vit-tiny"];
  const [first, second] = device === "cpu" ? ["vit-small", "vit-base"] : ["vit-base", "vit-large"];
  return length === "quick" ? [first] : [first, second];
}

/** The last of the models: one is enough to tell. */
function classifierModels(options: BenchmarkOptions): string[] {
  return options.models !== undefined ? stepModels(options) : stepModels(options).slice(-1);
}

const stepClips = ({ clips, device }: BenchmarkOptions): number => clips ?? (device === "cpu" ? 2 : 32);
const classifierClips = ({ device }: BenchmarkOptions): number => (device === "cpu" ? 1 : 8);
