// `videomae progressive <recipe>`: stages of training one after the other.
import { Command } from "commander";
import { progressive } from "../progressive/progressive.js";
import { planSchedule, type SchedulePlan } from "../progressive/schedule-recipe.js";
import { interruptible } from "./interrupt.js";
import { TrainingDisplay } from "./training-display.js";

interface ProgressiveFlags {
  readonly out?: string;
  readonly check?: boolean;
}

export function progressiveCommand(): Command {
  return new Command("progressive")
    .argument("<recipe>", "a YAML file that names the stages")
    .option("--out <folder>", "folder of the whole (default: the recipe's)")
    .option("--check", "only check the recipe, and print what would be done")
    .addHelpText(
      "after",
      `
Started again, it goes on at the stage and update where it stopped.

Example:
  videomae progressive recipe.yaml --out runs/motion`,
    )
    .action(async (recipe: string, { out, check }: ProgressiveFlags) => {
      if (check) for (const line of planLines(planSchedule(recipe, out))) console.log(line);
      else await runStages(recipe, out);
    });
}

async function runStages(recipe: string, out: string | undefined): Promise<void> {
  const say = (line: string) => process.stderr.write(`${line}\n`);
  let display: TrainingDisplay | undefined;
  const work = async (signal: AbortSignal) => {
    try {
      const { done, stages, report } = await progressive(
        recipe,
        {
          signal,
          onNote: say,
          onStage: ({ name, kind, number, of, done }) => {
            display?.stop();
            say(`stage ${number} of ${of}: ${name}${name === kind ? "" : ` (${kind})`}${done ? ", done before" : ""}`);
            display = new TrainingDisplay();
            return display.control;
          },
        },
        { out },
      );
      display?.stop();
      say(`${stages.filter((stage) => stage.done).length} stages done${done ? "" : ", more to do"}; report ${report}`);
    } finally {
      display?.stop();
    }
  };
  await interruptible(work, () => say("\nstopping after this update (again to stop at once)"));
}

/** A stage a line: its kind, what it begins with, and its options. */
function planLines({ out, stages }: SchedulePlan): string[] {
  return [
    `${stages.length} stages in ${out}`,
    ...stages.flatMap(({ name, kind, from, options }) => [
      `${name}: ${kind.name}${from ? `, from the ${from.checkpoint} checkpoint of ${from.stage}` : ""}`,
      ...Object.entries(options).map(([option, value]) => `  ${option}: ${JSON.stringify(value)}`),
    ]),
  ];
}
