// The recipe of a progressive training in YAML: stages in the order in which they are run, each with the options of its
// kind, and which earlier stage it begins with.
//
//   out: runs/motion
//   shared: { root: /data, image: 64, threads: 2 }    # of every stage that has them
//   stages:
//     pretrain:
//       data: lists/pool.csv
//       steps: 800
//     finetune:
//       from: pretrain.best                           # the best or last checkpoint; last where it is not said
//       data: lists/train.csv
//     finetune-long: { stage: finetune, from: finetune, ... }
//
// Everything is checked before the first stage begins, also whether data is where it should be: a mistake in the last
// stage must not show after a week. Mistakes are told with the key's path and, in a file, with line and column.

import { existsSync } from "node:fs";
import path from "node:path";
import { firstMistake, type Mistake, pathText } from "../config/explain-issue.js";
import { overrideOptions } from "../config/stage-options.js";
import { parseYaml, readYaml } from "../config/yaml-options.js";
import { nearest, VideomaeError } from "../errors.js";
import { lazy } from "../lazy.js";
import { z } from "../zod.js";
import { type StageKind, stageKinds } from "./stage-kinds.js";

type Options = Readonly<Record<string, unknown>>;

/** One stage as a recipe has it; its other fields are options of its kind. */
export interface StageRecipe {
  /** Its kind, such as "finetune"; default: the stage's name. */
  readonly stage?: string;
  /** The stage that it begins with: `<name>`, `<name>.last` or `<name>.best`. */
  readonly from?: string;
  /** A named recipe of its kind to begin with. */
  readonly extends?: string;
  readonly [option: string]: unknown;
}

/** The stages of a schedule, as its YAML file names them. */
export interface ProgressiveRecipe {
  /** The folder of the whole; each stage has a folder of its name in it. */
  readonly out?: string;
  /** Options of every stage that has them. */
  readonly shared?: Options;
  /** The stages by name, in order. */
  readonly stages: Readonly<Record<string, StageRecipe>>;
}

/** Which checkpoint a stage begins with. */
export interface HandOver {
  readonly stage: string;
  readonly checkpoint: "best" | "last";
}

/** One stage, checked. */
export interface PlannedStage {
  readonly name: string;
  readonly kind: StageKind;
  /** The stage's folder. */
  readonly folder: string;
  readonly from: HandOver | undefined;
  /** All that were given, but `out` and what is handed over. */
  readonly options: Options;
}

/** The stages, in order. */
export interface SchedulePlan {
  readonly out: string;
  readonly stages: readonly PlannedStage[];
}

const NAME = /^[a-z][\w-]*$/i;
const FROM = /^([a-z][\w-]*)(?:\.(best|last))?$/i;

const schema = lazy(() =>
  z.strictObject({
    out: z.string().min(1).default("runs/progressive").describe("folder of the whole"),
    shared: z.record(z.string(), z.unknown()).default({}).describe("options of every stage that has them"),
    stages: z
      .record(
        z.string().regex(NAME),
        z.looseObject({
          stage: z.enum(Object.keys(stageKinds)).optional().describe("what kind of stage it is"),
          from: z
            .string()
            .regex(FROM)
            .optional()
            .describe("an earlier stage, as in pretrain, pretrain.last or pretrain.best"),
          extends: z.string().min(1).optional().describe("a named recipe of its kind"),
        }),
      )
      .refine((stages) => Object.keys(stages).length > 0, "at least one stage")
      .describe("stages by name (letters, digits, - and _), in order"),
  }),
);

/** What a stage does not choose itself. */
const OWN = {
  out: "each stage has a folder of its name in the recipe's out",
  resume: "a stage always goes on from where it stopped; remove its folder to begin it anew",
} as const;

/**
 * Reads and checks a recipe.
 * @param recipe  a YAML file, or what one would hold
 * @param out  takes the place of the recipe's own
 * @throws VideomaeError that names the mistake's place
 */
export function planSchedule(recipe: string | ProgressiveRecipe, out?: string): SchedulePlan {
  const file = typeof recipe === "string";
  const { options, refuse } = file
    ? parseYaml(readYaml(recipe, "the recipe of a progressive training in YAML"), recipe)
    : { options: recipe, refuse: refuseOptions };
  const mistake = firstMistake(schema(), options);
  if (mistake) refuse(mistake);
  const parsed = schema().parse(options);
  const folder = out ?? parsed.out;
  const stages: PlannedStage[] = [];
  for (const [name, stage] of Object.entries(parsed.stages)) {
    stages.push(planStage(name, stage, { shared: parsed.shared, before: stages, out: folder, refuse }));
  }
  checkShared(parsed.shared, stages, refuse);
  return { out: folder, stages };
}

type Refuse = (mistake: Mistake) => never;

function refuseOptions({ path: at, ...parts }: Mistake): never {
  throw new VideomaeError({ op: `progressive ${pathText(at)}`.trim(), ...parts });
}

interface PlanContext {
  readonly shared: Options;
  readonly before: readonly PlannedStage[];
  readonly out: string;
  readonly refuse: Refuse;
}

function planStage(name: string, recipe: StageRecipe, { shared, before, out, refuse }: PlanContext): PlannedStage {
  const { stage, from, extends: base, ...own } = recipe;
  const at = (...keys: PropertyKey[]) => ["stages", name, ...keys];
  const kind = kindOf(stage ?? name) ?? refuse(unknownKind(name));
  for (const [key, reason] of Object.entries(OWN)) {
    if (key in own) refuse({ path: at(key), expected: `no ${key}`, got: String(own[key]), hint: reason });
  }
  const mistake = kind.options.mistakeInPart(own);
  if (mistake) refuse({ ...mistake, path: at(...mistake.path) });
  const known = new Set(kind.options.describe().map((option) => option.name));
  const common = Object.fromEntries(Object.entries(shared).filter(([key]) => known.has(key)));
  const named = base === undefined ? {} : extended(kind, base, (parts) => refuse({ path: at("extends"), ...parts }));
  const options = overrideOptions(overrideOptions(named, common), own) as Options;
  const handOver =
    from === undefined ? undefined : handOverOf(from, before, kind, (parts) => refuse({ path: at("from"), ...parts }));
  for (const { name: option, required } of kind.options.describe()) {
    if (!required || option in options || option === "out" || (handOver && option === kind.handOver)) continue;
    const hint = option === kind.handOver ? "name the stage it begins with in from" : undefined;
    refuse({ path: at(), expected: `the option ${option}`, got: "nothing", hint });
  }
  checkData(options, (key, parts) => refuse({ path: key in own ? at(key) : ["shared", key], ...parts }));
  return { name, kind, folder: path.join(out, name), from: handOver, options };
}

function kindOf(stage: string): StageKind | undefined {
  return Object.hasOwn(stageKinds, stage) ? (stageKinds as Readonly<Record<string, StageKind>>)[stage] : undefined;
}

function unknownKind(name: string): Mistake {
  const kinds = Object.keys(stageKinds);
  const near = nearest(name, kinds);
  return {
    ...{ path: ["stages", name], expected: `stage: one of ${kinds.join(", ")}`, got: "nothing" },
    hint: near ? `did you mean "${near}"?` : "the name of a stage is its kind where stage is not given",
  };
}

type Parts = Omit<Mistake, "path">;

function extended(kind: StageKind, base: string, refuse: (parts: Parts) => never): Options {
  if (Object.hasOwn(kind.recipes, base)) return kind.recipes[base].options;
  const names = Object.keys(kind.recipes);
  const near = nearest(base, names);
  const expected = names.length > 0 ? `one of ${names.join(", ")}` : "no extends: this kind has no named recipes";
  return refuse({ expected, got: base, hint: near && `did you mean "${near}"?` });
}

function handOverOf(
  from: string,
  before: readonly PlannedStage[],
  kind: StageKind,
  refuse: (parts: Parts) => never,
): HandOver {
  const [, stage, checkpoint = "last"] = FROM.exec(from)!;
  const names = before.filter((earlier) => earlier.kind.trains).map((earlier) => earlier.name);
  if (kind.handOver === undefined) {
    const hint = "it begins with fresh weights: leave from out";
    return refuse({ expected: "no hand-over for a stage of this kind", got: from, hint });
  }
  if (!names.includes(stage)) {
    const near = nearest(stage, names);
    const hint = near ? `did you mean "${near}"?` : `the stages before that train: ${names.join(", ") || "none"}`;
    return refuse({ expected: "a stage before this one that trains", got: stage, hint });
  }
  return { stage, checkpoint: checkpoint as HandOver["checkpoint"] };
}

/** The options that name files or folders which are read. */
const READ = ["data", "validation", "classes", "exclude"];

function checkData(options: Options, refuse: (key: string, parts: Parts) => never): void {
  for (const key of READ) {
    for (const item of [options[key]].flat()) {
      const file = typeof item === "object" && item !== null ? (item as { path?: unknown }).path : item;
      if (typeof file !== "string" || file === "" || existsSync(file)) continue;
      const hint = "paths start from the folder the command is run in";
      refuse(key, { expected: "a file or folder", got: `no such file: ${file}`, hint });
    }
  }
}

/** Shared options are those of at least one stage, and right for each that has them. */
function checkShared(shared: Options, stages: readonly PlannedStage[], refuse: Refuse): void {
  const kinds = [...new Set(stages.map(({ kind }) => kind))];
  for (const [key, value] of Object.entries(shared)) {
    if (key in OWN) {
      refuse({ path: ["shared", key], expected: `no ${key}`, got: String(value), hint: OWN[key as keyof typeof OWN] });
    }
    const having = kinds.filter(({ options }) => options.describe().some(({ name }) => name === key));
    const mistake = (having.length > 0 ? having : kinds)
      .map(({ options }) => options.mistakeInPart({ [key]: value }))
      .find((found) => found !== undefined);
    if (mistake) refuse({ ...mistake, path: ["shared", ...mistake.path] });
  }
}
