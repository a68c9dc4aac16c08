// A plug-in of typedoc: the options of runs are types that are inferred from schemas, which also say in words what an option
// is. The reference says it too, from the same place. Needs dist/.
import { Comment, Converter } from "typedoc";
import { distillOptions } from "#lib/config/distill-config.js";
import { classifierOptions } from "#lib/config/finetune-config.js";
import { pretrainOptions } from "#lib/config/pretrain-config.js";
import { probeOptions } from "#lib/config/probe-config.js";

const STAGES = {
  Pretrain: pretrainOptions,
  Finetune: classifierOptions.finetune,
  Distill: distillOptions,
  Probe: probeOptions,
};

/** What an option is, in the words of its schema. */
function textOf({ description, default: preset }) {
  const shown = preset === undefined || preset === "" ? "" : ` Default: ${preset}.`;
  return `${description[0].toUpperCase()}${description.slice(1)}.${shown}`;
}

export function load(app) {
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    for (const [stage, options] of Object.entries(STAGES)) {
      const described = new Map(options.describe().map((option) => [option.name, option]));
      for (const name of [`${stage}RunOptions`, `${stage}RunConfig`]) {
        const reflection = project.getChildByName(["videomae", name]);
        if (!reflection?.children?.length) throw new Error(`${name} has no properties: is it tagged @interface?`);
        for (const property of reflection.children) {
          const option = described.get(property.name);
          if (!option) throw new Error(`${name}.${property.name}: the schema of ${stage} has no such option`);
          property.comment = new Comment([{ kind: "text", text: textOf(option) }]);
        }
      }
    }
  });
}
