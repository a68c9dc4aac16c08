// Runs a schedule and kills its own process, with SIGKILL, at one moment of one stage.
//
//   node test/progressive/killed-schedule.mjs <recipe.yaml> <out> <stage> step|checkpoint <update>
import { progressive } from "#lib/progressive/progressive.js";

const [recipe, out, stage, moment, update] = process.argv.slice(2);
const die = () => process.kill(process.pid, "SIGKILL");

await progressive(
  recipe,
  {
    onStage: ({ name }) => ({
      onStep: ({ step }) => {
        if (name === stage && moment === "step" && step === Number(update)) die();
      },
      onCheckpoint: (file) => {
        if (name === stage && moment === "checkpoint" && file.includes(`-${update}.`)) die();
      },
    }),
  },
  { out },
);
