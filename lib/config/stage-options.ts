// The options of one stage of training as a strict schema: checked, completed with defaults, described for help texts. A
// mistake is an error that names the option and, for a misspelt one, the nearest real one.

import type * as zod from "zod";
import { VideomaeError } from "../errors.js";
import { lazy } from "../lazy.js";
import { z } from "../zod.js";
import { type Advice, firstMistake, type Mistake, pathText } from "./explain-issue.js";

/** The stages, by the commands that run them. */
export type StageName = "pretrain" | "finetune" | "post-pretrain" | "distill" | "probe";

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

/** Pairs of options of which a run takes one: what no schema of single options can say. */
const alternatives = [
  ["epochs", "steps"],
  ["warmupEpochs", "warmupSteps"],
] as const;

export class StageOptions<S extends Readonly<Record<string, zod.ZodType>>> {
  /** The command whose options these are. */
  readonly stage: StageName | "accuracy";
  readonly #shape: () => S;
  readonly #schema: () => zod.ZodObject<S, zod.core.$strict>;
  /** Some of the options, as a recipe has them. */
  readonly #partial: () => zod.ZodType<object>;
  readonly #advice: Advice;

  /**
   * @param shape  makes the schema of each option, when the first of them is asked for
   * @param advice  about keys and words that are not ours
   */
  constructor(stage: StageOptions<S>["stage"], shape: () => S, advice: Advice) {
    this.stage = stage;
    this.#shape = lazy(shape);
    this.#schema = lazy(() => notBoth(z.strictObject(this.#shape())));
    this.#partial = lazy(() => notBoth(z.strictObject(this.#shape()).partial()));
    this.#advice = advice;
  }

  /**
   * Checks options and fills in defaults.
   *
   * @param op  where the options come from, for messages, e.g. `pretrain` or a file's name
   * @throws VideomaeError that names the option, what was expected and, for a misspelt one, the nearest real one.
   */
  parse(options: unknown, op: string = this.stage): zod.output<zod.ZodObject<S, zod.core.$strict>> {
    const result = this.#schema().safeParse(options);
    if (result.success) return result.data;
    const { path, ...parts } = firstMistake(this.#schema(), options, this.#advice)!;
    throw new VideomaeError({ op: mistakeAt(op, path, parts), ...parts });
  }

  /** The first mistake in a part of the options, such as a recipe, where nothing is required. */
  mistakeInPart(options: unknown): Mistake | undefined {
    return firstMistake(this.#partial(), options, this.#advice);
  }

  /** Every option in order, for help texts. */
  describe(): OptionDescription[] {
    return Object.entries(this.#shape()).map(([name, type]) => {
      const empty = type.safeParse(undefined);
      const preset = empty.success ? empty.data : undefined;
      const description = type.description ?? "";
      const kind = kindOf(type);
      return { name, description, required: !empty.success, kind, ...(preset !== undefined && { default: preset }) };
    });
  }

  /** The JSON Schema of recipes, for editors that complete and check YAML. */
  jsonSchema(): object {
    return z.toJSONSchema(this.#partial(), { io: "input" });
  }
}

function notBoth<T extends zod.ZodType>(object: T): T {
  return alternatives.reduce(
    (checked, [name, other]) =>
      checked.refine((options) => !(isGiven(options as object, name) && isGiven(options as object, other)), {
        path: [other],
        message: `expected ${name} or ${other}, not both`,
      }),
    object,
  );
}

function isGiven(options: object, name: string): boolean {
  return (options as Record<string, unknown>)[name] !== undefined;
}

/** Of several types the last simple one counts: true, or a path, is written as a path. */
function kindOf(type: zod.ZodType): OptionDescription["kind"] {
  const { def, options } = type as { def: { type: string; innerType?: zod.ZodType }; options?: readonly zod.ZodType[] };
  if (def.innerType) return kindOf(def.innerType);
  if (def.type === "number" || def.type === "boolean") return def.type;
  if (def.type === "string" || def.type === "enum") return "string";
  if (def.type === "tuple") return "numbers";
  const kinds = def.type === "union" ? (options ?? []).map(kindOf).filter((kind) => kind !== "object") : [];
  return kinds.at(-1) ?? "object";
}

/** An unknown key is in `got`; it stands in `op` only where it is inside another. */
function mistakeAt(op: string, path: readonly PropertyKey[], { expected }: Pick<Mistake, "expected">): string {
  const shown = expected === "a known option" ? path.slice(0, -1) : path;
  return shown.length > 0 ? `${op} ${pathText(shown)}` : op;
}

/**
 * Options with others on top. Of two that exclude each other, such as epochs and steps, the one on top counts.
 * Undefined means not given.
 */
export function overrideOptions<O extends object, T extends object>(options: O, top: T): O & T {
  const given = Object.entries(top).filter(([, value]) => value !== undefined);
  const replaced = alternatives.flatMap((pair) => (pair.some((name) => isGiven(top, name)) ? pair : []) as string[]);
  const kept = Object.entries(options).filter(([name]) => !replaced.includes(name));
  return Object.fromEntries([...kept, ...given]) as O & T;
}
