// `videomae recipes [name]`: the named recipes, or one of them as YAML to begin a recipe of one's own with.
import { Command, Option } from "commander";
import { distillRecipes } from "../config/distill-recipes.js";
import { classifierRecipes } from "../config/finetune-recipes.js";
import { probeRecipes } from "../config/probe-config.js";
import type { RecipeBook } from "../config/recipe-book.js";
import { pretrainRecipes } from "../config/recipes.js";
import type { StageName } from "../config/stage-options.js";

const books: Readonly<Record<StageName, RecipeBook<object>>> = {
  pretrain: pretrainRecipes,
  ...classifierRecipes,
  distill: distillRecipes,
  probe: probeRecipes,
};

interface RecipesFlags {
  readonly stage?: StageName;
  readonly schema?: boolean;
  readonly json?: boolean;
}

export function recipesCommand(): Command {
  return new Command("recipes")
    .argument("[name]", "print this recipe as YAML")
    .addOption(new Option("--stage <command>", "recipes of this command only").choices(Object.keys(books)))
    .option("--schema", "print the JSON Schema of recipe files, for editors (default: those of pretrain)")
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      `
Examples:
  videomae recipes vit-b-hybrid-800e > mine.yaml
  videomae pretrain --recipe mine.yaml --out runs/mine`,
    )
    .action(printRecipes);
}

function printRecipes(name: string | undefined, { stage, schema, json }: RecipesFlags): void {
  const print = (value: unknown) => console.log(JSON.stringify(value, undefined, 2));
  const shown = Object.values(books).filter(({ options }) => stage === undefined || options.stage === stage);
  if (schema) print(books[stage ?? "pretrain"].options.jsonSchema());
  else if (name !== undefined) {
    const book = shown.find(({ recipes }) => Object.hasOwn(recipes, name)) ?? shown[0];
    const { description, options } = book.recipe(name); // throws for a name that is in none, naming the nearest
    if (json) print(options);
    else process.stdout.write(book.format(options, { header: `${name}: ${description}`, explained: true }));
  } else if (json) print(Object.assign({}, ...shown.map(({ recipes }) => recipes)));
  else {
    for (const { options, recipes } of shown) {
      console.log(`${options.stage}:`);
      for (const { name, description } of Object.values(recipes)) console.log(`${name.padEnd(20)} ${description}`);
    }
  }
}
