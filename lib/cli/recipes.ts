// `videomae recipes [name]`: the named recipes, or one of them as YAML to begin a recipe of one's own with.
import { Command } from "commander";
import { formatRecipe, pretrainRecipes, recipe, recipes } from "../config/recipes.js";

export function recipesCommand(): Command {
  return new Command("recipes")
    .argument("[name]", "print this recipe as YAML")
    .option("--schema", "print the JSON Schema of recipe files, for editors")
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

function printRecipes(name: string | undefined, { schema, json }: { schema?: boolean; json?: boolean }): void {
  const print = (value: unknown) => console.log(JSON.stringify(value, undefined, 2));
  if (schema) print(pretrainRecipes.options.jsonSchema());
  else if (name !== undefined) {
    const { description, options } = recipe(name);
    if (json) print(options);
    else process.stdout.write(formatRecipe(options, { header: `${name}: ${description}`, explained: true }));
  } else if (json) print(recipes);
  else for (const { name, description } of Object.values(recipes)) console.log(`${name.padEnd(20)} ${description}`);
}
