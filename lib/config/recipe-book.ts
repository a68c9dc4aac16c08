// Recipes of a stage: named ones, and YAML files with one option a line, under the names that scripts use.
// `extends: <name>` begins with a named recipe.
//
//   extends: vit-b-hybrid-800e
//   data: lists/train.csv
//   batchSize: 8
//   accumulate: 128
//
// A mistake is told with line and column. What is written here reads back to the same options.

import { nearest, VideomaeError } from "../errors.js";
import { library } from "../library.js";
import { shortened } from "./explain-issue.js";
import { overrideOptions, type StageOptions } from "./stage-options.js";
import { parseYaml, readYaml } from "./yaml-options.js";

const yaml = library<typeof import("yaml")>("yaml");

/** A named set of options. */
export interface NamedRecipe<O> {
  readonly name: string;
  readonly description: string;
  readonly options: O;
}

/** How options are written. */
export interface RecipeFormat {
  /** A comment on top. */
  readonly header?: string;
  /** Each option with its description. */
  readonly explained?: boolean;
}

/**
 * The named recipes of a stage, and how recipes are read and written.
 * @typeParam O  options of a run of the stage, any of them
 */
export class RecipeBook<O extends object> {
  /** The stage whose options these are. */
  readonly options: Pick<StageOptions<never>, "stage" | "mistakeInPart" | "describe" | "jsonSchema">;
  readonly recipes: Readonly<Record<string, NamedRecipe<O>>>;

  constructor(options: RecipeBook<O>["options"], recipes: Readonly<Record<string, NamedRecipe<O>>>) {
    this.options = options;
    this.recipes = recipes;
  }

  /**
   * The recipe of a name.
   * @throws VideomaeError that names the nearest one
   */
  recipe(name: string): NamedRecipe<O> {
    if (Object.hasOwn(this.recipes, name)) return this.recipes[name];
    const names = Object.keys(this.recipes);
    const near = nearest(name, names);
    throw new VideomaeError({
      op: "recipe",
      expected: `one of ${names.join(", ")}, or a file ending in .yaml`,
      got: `"${shortened(name)}"`,
      hint: near && `did you mean "${near}"?`,
    });
  }

  /**
   * The options of a recipe: a named one, or a YAML file.
   * @throws VideomaeError for a name that is none and no file, and for mistakes in the file, with line and column
   */
  load(nameOrPath: string): O {
    const isFile = /\.ya?ml$|[\\/]/i.test(nameOrPath) && !Object.hasOwn(this.recipes, nameOrPath);
    return isFile ? this.parse(readYaml(nameOrPath, "a recipe in YAML"), nameOrPath) : this.recipe(nameOrPath).options;
  }

  /**
   * The options in a YAML text, those of the recipe it extends included.
   * @param where  what messages call the text, e.g. its path
   * @throws VideomaeError whose `op` is `where:line:column` and the key
   */
  parse(text: string, where: string): O {
    const { options: written, refuse } = parseYaml(text, where);
    const { extends: base, ...options } = written;
    const mistake = this.options.mistakeInPart(options);
    if (mistake) refuse(mistake);
    if (base === undefined) return options as O;
    if (typeof base !== "string") {
      const got = shortened(JSON.stringify(base));
      return refuse({ path: ["extends"], expected: "the name of a recipe", got, hint: undefined });
    }
    try {
      return overrideOptions(this.recipe(base).options, options as O);
    } catch (error) {
      if (!(error instanceof VideomaeError)) throw error;
      const { expected = "", got = "", hint } = error;
      return refuse({ path: ["extends"], expected, got, hint });
    }
  }

  /** Options as YAML, in the order of the schema. */
  format(options: O, { header = "", explained = false }: RecipeFormat = {}): string {
    const values = options as Readonly<Record<string, unknown>>;
    const described = this.options.describe().filter(({ name }) => values[name] !== undefined);
    const lines = described.flatMap(({ name, description }) => {
      const written = yamlOf({ [name]: values[name] });
      return explained ? [`# ${description}`, written] : [written];
    });
    const comments = header.split("\n").filter(Boolean);
    return `${[...comments.map((line) => `# ${line}`), ...lines].join("\n")}\n`;
  }
}

/** Lists of plain values in brackets on one line, other lists with an item a line. */
function yamlOf(value: object): string {
  const document = new (yaml().Document)(value, { schema: "core", version: "1.2" });
  yaml().visit(document, {
    Seq: (_, list) => {
      list.flow = list.items.every(yaml().isScalar);
    },
  });
  return document.toString({ lineWidth: 0, flowCollectionPadding: false }).trimEnd();
}
