// The options of a pre-training run: one strict schema with a description and a default for each, used by the command
// line, by scripts and by the checkpoint. Parsing fills in defaults; a mistake is an error that names the option and,
// for a misspelt one, the nearest real one. Sizes of the model and kinds of masks are checked where they are used.

import { z } from "zod";
import { VideomaeError } from "../errors.js";
import { firstMistake, type Mistake, pathText } from "./explain-issue.js";
import { adviceOnKey, adviceOnWord } from "./official-options.js";

const DEFAULT_EPOCHS = 300;
const DEFAULT_WARMUP_EPOCHS = 40;

const count = () => z.number().int().min(1);
const fraction = () => z.number().min(0).lt(1);
const atLeastZero = () => z.number().min(0);

/** One source of a mixture; see lib/data/mixture.ts for what the fields mean. */
const dataSource = z.strictObject({
  path: z.string().min(1),
  weight: z.number().positive().optional(),
  stride: count().optional(),
  name: z.string().min(1).optional(),
  root: z.string().optional(),
  framesTemplate: z.string().min(1).optional(),
  pictures: z.enum(["start-total", "total-label"]).optional(),
  startIndex: z.number().int().min(0).optional(),
});

const shape = {
  data: z
    .union([z.string().min(1), z.array(z.union([z.string().min(1), dataSource])).min(1)])
    .describe("folder of clips, list file with one clip a line, mixture file (.json), or several of these"),
  root: z.string().default("").describe("folder that relative paths of a list file start from"),
  out: z.string().min(1).default("runs/pretrain").describe("folder for checkpoints, log and loss plot"),

  model: z.string().min(1).default("vit-base").describe("vit-small, vit-base, vit-large, vit-huge or vit-giant"),
  image: count().optional().describe("side of the input in pixels (default: the model's, 224)"),
  patch: count().optional().describe("side of a patch in pixels (default: the model's, 16 or 14)"),
  tubelet: count().optional().describe("frames of a token (default: the model's, 2)"),
  frames: count().optional().describe("frames of a clip (default: the model's, 16)"),
  width: count().optional().describe("width of the encoder (default: the model's)"),
  depth: count().optional().describe("blocks of the encoder (default: the model's)"),
  heads: count().optional().describe("attention heads of the encoder (default: the model's)"),
  decoderWidth: count().optional().describe("width of the decoder (default: the model's)"),
  decoderDepth: count().optional().describe("blocks of the decoder (default: the model's, 4)"),
  decoderHeads: count().optional().describe("attention heads of the decoder (default: the model's)"),
  position: z
    .enum(["generate", "official", "interpolate"])
    .default("generate")
    .describe("positional table of a grid other than 8 x 14 x 14: made for it, or the published table resized"),
  dropPath: fraction().default(0).describe("stochastic depth of the last block"),
  normalizeTarget: z.boolean().default(true).describe("normalise the target per token and channel"),

  decoder: z
    .enum(["auto", "node-av", "ffmpeg"])
    .default("auto")
    .describe("what decodes video; auto: node-av, else ffmpeg"),
  maxBadFraction: z
    .number()
    .min(0)
    .max(1)
    .default(0.5)
    .describe("fraction of a data set's videos, or of 1000 videos in a row, whose being unreadable ends the run"),
  exclude: z.string().default("").describe("list of files to leave out, such as the quarantine.jsonl of another run"),
  decodeTimeout: z.number().min(0).max(86_400).default(60).describe("seconds that one video may take to read; 0: any"),
  minFrames: count().default(1).describe("videos with fewer frames are unreadable"),
  framesTemplate: z.string().min(1).optional().describe("file names of raw frames (default: img_{:05}.jpg)"),
  stride: count().default(4).describe("video frames from one clip frame to the next"),
  rate: z.number().positive().optional().describe("clip frames a second: taken by time, instead of by stride"),
  pixelAspect: z
    .enum(["stored", "display"])
    .default("stored")
    .describe("shape of pixels that are not square: as stored (as published models saw them), or as displayed"),
  views: count().default(1).describe("clips taken from a video each time it is decoded"),

  mask: z.enum(["tube", "random", "frame", "running-cell"]).default("tube").describe("encoder mask"),
  maskRatio: fraction().default(0.9).describe("fraction of tokens hidden from the encoder"),
  decoderMask: z
    .enum(["running-cell", "none", "random", "frame", "tube"])
    .default("running-cell")
    .describe("decoder mask; none reconstructs every hidden token"),
  decoderMaskRatio: fraction().default(0.5).describe("fraction of tokens not reconstructed"),

  batchSize: count().default(64).describe("videos in a batch on one device"),
  accumulate: count().default(1).describe("batches added up before an update"),
  epochs: count().optional().describe(`passes over the data (default ${DEFAULT_EPOCHS} when steps is not given)`),
  steps: count().optional().describe("updates, instead of epochs"),

  lr: atLeastZero().default(1.5e-4).describe("learning rate for 256 videos an update; scaled by videos / 256"),
  minLr: atLeastZero().default(1e-5).describe("learning rate at the end, scaled alike"),
  warmupLr: atLeastZero().default(0).describe("learning rate at the first step, scaled alike"),
  warmupEpochs: atLeastZero()
    .optional()
    .describe(`epochs of warm-up (default ${DEFAULT_WARMUP_EPOCHS}, or a tenth of a run where that is less)`),
  warmupSteps: z.number().int().min(0).optional().describe("updates of warm-up, instead of epochs"),
  weightDecay: atLeastZero().default(0.05).describe("decoupled weight decay"),
  weightDecayEnd: atLeastZero().optional().describe("weight decay at the end (default: the same)"),
  betas: z.tuple([fraction(), fraction()]).default([0.9, 0.95]).describe("decay rates of AdamW's moments"),
  eps: z.number().positive().default(1e-8).describe("epsilon of AdamW"),
  clipNorm: z.number().positive().optional().describe("greatest norm of the gradient (default: not clipped)"),

  seed: z.number().int().min(0).default(0).describe("seed of everything random"),
  device: z
    .union([z.enum(["auto", "cpu", "cuda", "emu"]), z.templateLiteral(["cuda:", z.number().int().min(0)])])
    .default("auto")
    .describe("what computes: cpu, cuda, cuda:1 ...; auto: the CPU"),
  dtype: z
    .enum(["auto", "f32", "bf16"])
    .default("auto")
    .describe("what activations and matrix products are in; auto: f32 on the CPU, bf16 on a GPU"),
  recompute: z.boolean().default(false).describe("recompute blocks in the backward pass: less memory, more time"),
  workers: z.number().int().min(0).default(2).describe("threads that decode clips; 0: the main thread"),
  threads: z
    .number()
    .int()
    .min(0)
    .default(0)
    .describe("threads of the CPU kernels; 0: one for each processor the process may use"),

  maxSkips: count()
    .default(10)
    .describe("updates in a row with a loss or gradient that is not finite that end the run"),
  spikeRatio: z.number().gt(1).default(2).describe("a loss so many times the median of the last 100 is reported"),
  saveEvery: count().default(1000).describe("updates between two checkpoints"),
  saveEpochs: count().optional().describe("epochs between two checkpoints, instead of saveEvery"),
  keep: count().default(3).describe("checkpoints kept, besides the best one"),
  logEvery: count().default(10).describe("updates between two lines of the log"),
  resume: z
    .union([z.boolean(), z.string().min(1)])
    .default(true)
    .describe("continue from the newest checkpoint in out, or from this file; false: start anew"),
};

/** What no schema of single options can say: pairs of which a run takes one. */
function notBoth<S extends z.ZodType<object>>(object: S): S {
  return alternatives.reduce(
    (checked, [name, other]) =>
      checked.refine((options) => !(isGiven(options, name) && isGiven(options, other)), {
        path: [other],
        message: `expected ${name} or ${other}, not both`,
      }),
    object,
  );
}

const alternatives = [
  ["epochs", "steps"],
  ["warmupEpochs", "warmupSteps"],
] as const;

function isGiven(options: object, name: string): boolean {
  return (options as Record<string, unknown>)[name] !== undefined;
}

const schema = notBoth(z.strictObject(shape));
/** Some of the options, as a recipe has them. */
const partialSchema = notBoth(z.strictObject(shape).partial());

/** The options of a run with every default filled in. */
export type PretrainRunConfig = z.output<typeof schema>;

/** The options as a user gives them: only `data` is required. */
export type PretrainRunOptions = z.input<typeof schema>;

/** An option as the command line shows it. */
export interface OptionDescription {
  readonly name: string;
  readonly description: string;
  readonly required: boolean;
  /** What its values are; `object` for those that only scripts and recipes can give. */
  readonly kind: "number" | "string" | "boolean" | "numbers" | "object";
  /** Absent when the option has none. */
  readonly default?: unknown;
}

/** Every option in order, for help texts. */
export function describePretrainOptions(): OptionDescription[] {
  return Object.entries(shape).map(([name, type]) => {
    const empty = type.safeParse(undefined);
    const preset = empty.success ? empty.data : undefined;
    const description = type.description ?? "";
    const kind = kindOf(type);
    return { name, description, required: !empty.success, kind, ...(preset !== undefined && { default: preset }) };
  });
}

/** Of several types the last simple one counts: true, or a path, is written as a path. */
function kindOf(type: z.ZodType): OptionDescription["kind"] {
  const { def, options } = type as { def: { type: string; innerType?: z.ZodType }; options?: readonly z.ZodType[] };
  if (def.innerType) return kindOf(def.innerType);
  if (def.type === "number" || def.type === "boolean") return def.type;
  if (def.type === "string" || def.type === "enum") return "string";
  if (def.type === "tuple") return "numbers";
  const kinds = def.type === "union" ? (options ?? []).map(kindOf).filter((kind) => kind !== "object") : [];
  return kinds.at(-1) ?? "object";
}

/**
 * Checks options and fills in defaults.
 *
 * @param op  where the options come from, for messages, e.g. `pretrain` or a file's name
 * @throws VideomaeError that names the option, what was expected and, for a misspelt one, the nearest real one.
 */
export function parsePretrainConfig(options: unknown, op = "pretrain"): PretrainRunConfig {
  const result = schema.safeParse(options);
  if (result.success) return result.data;
  const { path, ...parts } = firstMistake(schema, options, advice)!;
  throw new VideomaeError({ op: mistakeAt(op, path, parts), ...parts });
}

/** The first mistake in a part of the options, such as a recipe, where nothing is required. */
export function mistakeInPart(options: unknown): Mistake | undefined {
  return firstMistake(partialSchema, options, advice);
}

const advice = { key: adviceOnKey, word: adviceOnWord };

/** An unknown key is in `got`; it stands in `op` only where it is inside another. */
function mistakeAt(op: string, path: readonly PropertyKey[], { expected }: Pick<Mistake, "expected">): string {
  const shown = expected === "a known option" ? path.slice(0, -1) : path;
  return shown.length > 0 ? `${op} ${pathText(shown)}` : op;
}

/**
 * Options with others on top. Of two that exclude each other, such as epochs and steps, the one on top counts.
 * Undefined means not given.
 */
export function overrideOptions<O extends object>(options: O, top: Partial<PretrainRunOptions>): O & typeof top {
  const given = Object.entries(top).filter(([, value]) => value !== undefined);
  const replaced = alternatives.flatMap((pair) => (pair.some((name) => isGiven(top, name)) ? pair : []) as string[]);
  const kept = Object.entries(options).filter(([name]) => !replaced.includes(name));
  return Object.fromEntries([...kept, ...given]) as O & typeof top;
}

/** The JSON Schema of recipes, for editors that complete and check YAML. */
export function recipeJsonSchema(): object {
  return z.toJSONSchema(partialSchema, { io: "input" });
}

/** The updates of a run: all of them, those of the warm-up, and those from one checkpoint to the next. */
export interface StepPlan {
  readonly steps: number;
  readonly warmupSteps: number;
  readonly saveEvery: number;
}

/** Turns epochs into updates, for data that makes `stepsPerEpoch` updates an epoch; a fraction with accumulation. */
export function planSteps(config: PretrainRunConfig, stepsPerEpoch: number): StepPlan {
  const steps = config.steps ?? Math.max(1, Math.floor((config.epochs ?? DEFAULT_EPOCHS) * stepsPerEpoch));
  const saveEvery =
    config.saveEpochs === undefined ? config.saveEvery : Math.max(1, Math.round(config.saveEpochs * stepsPerEpoch));
  if (config.warmupSteps !== undefined) return { steps, warmupSteps: config.warmupSteps, saveEvery };
  const asked = config.warmupEpochs === undefined ? undefined : Math.round(config.warmupEpochs * stepsPerEpoch);
  const warmupSteps = asked ?? Math.min(Math.round(DEFAULT_WARMUP_EPOCHS * stepsPerEpoch), Math.floor(steps / 10));
  return { steps, warmupSteps, saveEvery };
}
