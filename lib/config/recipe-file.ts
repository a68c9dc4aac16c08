// Recipes as YAML: one option a line, under the names that scripts use. `extends: <name>` begins with a named recipe.
//
//   extends: vit-b-hybrid-800e
//   data: lists/train.csv
//   batchSize: 8
//   accumulate: 128
//
// A mistake is told with line and column. What is written here reads back to the same options.

import { Document, isScalar, visit } from "yaml";
import { VideomaeError } from "../errors.js";
import { shortened } from "./explain-issue.js";
import { describePretrainOptions, mistakeInPart, overrideOptions } from "./pretrain-config.js";
import { type RecipeOptions, recipe, recipes } from "./recipes.js";
import { parseYaml, readYaml } from "./yaml-options.js";

/**
 * The options of a recipe: a named one, or a YAML file.
 * @throws VideomaeError for a name that is none and no file, and for mistakes in the file, with line and column
 */
export function loadRecipe(nameOrPath: string): RecipeOptions {
  if (Object.hasOwn(recipes, nameOrPath)) return recipe(nameOrPath).options;
  if (!/\.ya?ml$|[\\/]/i.test(nameOrPath)) return recipe(nameOrPath).options; // throws, naming the nearest
  return parseRecipe(readYaml(nameOrPath, "a recipe in YAML"), nameOrPath);
}

/**
 * The options in a YAML text, those of the recipe it extends included.
 * @param where  what messages call the text, e.g. its path
 * @throws VideomaeError whose `op` is `where:line:column` and the key
 */
export function parseRecipe(text: string, where: string): RecipeOptions {
  const { options: written, refuse } = parseYaml(text, where);
  const { extends: base, ...options } = written;
  const mistake = mistakeInPart(options);
  if (mistake) refuse(mistake);
  if (base === undefined) return options;
  if (typeof base !== "string") {
    const got = shortened(JSON.stringify(base));
    return refuse({ path: ["extends"], expected: "the name of a recipe", got, hint: undefined });
  }
  try {
    return overrideOptions(recipe(base).options, options as RecipeOptions);
  } catch (error) {
    if (!(error instanceof VideomaeError)) throw error;
    const { expected = "", got = "", hint } = error;
    return refuse({ path: ["extends"], expected, got, hint });
  }
}

/**
 * Options as YAML, in the order of the schema.
 * @param header  a comment on top
 * @param explained  each option with its description
 */
export function formatRecipe(options: RecipeOptions, format: { header?: string; explained?: boolean } = {}): string {
  const described = new Map(describePretrainOptions().map(({ name, description }) => [name, description]));
  const names = [...described.keys()].filter((name) => options[name as keyof RecipeOptions] !== undefined);
  const lines = names.flatMap((name) => {
    const written = yamlOf({ [name]: options[name as keyof RecipeOptions] });
    return format.explained ? [`# ${described.get(name)}`, written] : [written];
  });
  const header = (format.header ?? "").split("\n").filter(Boolean);
  return `${[...header.map((line) => `# ${line}`), ...lines].join("\n")}\n`;
}

/** Lists of plain values in brackets on one line, other lists with an item a line. */
function yamlOf(value: object): string {
  const document = new Document(value, { schema: "core", version: "1.2" });
  visit(document, {
    Seq: (_, list) => {
      list.flow = list.items.every(isScalar);
    },
  });
  return document.toString({ lineWidth: 0, flowCollectionPadding: false }).trimEnd();
}
