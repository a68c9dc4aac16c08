// A plug-in of typedoc: every public export belongs to a topic, that of the room of lib/ where it is written, so the
// reference is ordered as the package is, and nothing has to be tagged by hand.
import path from "node:path";
import { Application, CommentTag, Converter, ReflectionKind } from "typedoc";

/** Topics in the order of the reference, and the rooms that each is made of. */
const TOPICS = {
  "Pre-training": ["train/pretrain", "train/load-pretrain", "config/pretrain-config", "config/recipes"],
  "Classifiers, students and probes": [
    "train/finetune",
    "train/distill",
    "train/probe",
    "train/validate-classifier",
    "config/finetune-config",
    "config/finetune-recipes",
    "config/distill-config",
    "config/distill-recipes",
    "config/probe-config",
  ],
  "Runs, schedules and reports": ["train", "progressive", "report", "watch", "config"],
  "Predictions and evaluation": ["eval"],
  Models: ["models"],
  "Weights and files": ["weights", "io", "export"],
  Data: ["data", "survey"],
  Masks: ["masking"],
  Optimisation: ["optim"],
  Modules: ["nn"],
  Ops: ["ops"],
  "Tensors and gradients": ["tensor", "autograd", "addon"],
  Logs: ["log"],
  Benchmarks: ["bench"],
  "Machine and errors": ["doctor", "machine", "errors"],
};

const rooms = Object.entries(TOPICS).flatMap(([topic, names]) => names.map((name) => [name, topic]));

/** The topic of a file of lib/: a file's own entry counts before that of its room. */
function topicOf(file) {
  const name = file.replace(/^.*\blib\//, "").replace(/(\.d)?\.ts$/, "");
  const found =
    rooms.find(([room]) => room === name) ?? rooms.find(([room]) => room === path.dirname(name).split("/")[0]);
  if (!found) throw new Error(`lib/${name}.ts has no topic in scripts/typedoc-topics.mjs`);
  return found[1];
}

export function load(app) {
  // Options are read again after plug-ins are loaded, so this one is set at the end.
  app.on(Application.EVENT_BOOTSTRAP_END, () => app.options.setValue("categoryOrder", Object.keys(TOPICS)));
  // Sources are known by then, and categories are made after it.
  app.converter.on(
    Converter.EVENT_RESOLVE_BEGIN,
    ({ project }) => {
      // Beside the guides the exports are those of one module.
      const exports = (project.children ?? []).flatMap((child) =>
        child.kindOf(ReflectionKind.Module) ? (child.children ?? []) : [child],
      );
      for (const reflection of exports) {
        const places = reflection.sources ?? reflection.signatures?.[0]?.sources ?? [];
        if (places.length === 0) throw new Error(`${reflection.name}: no source is known`);
        // Where there is no comment typedoc itself says so.
        const comment = reflection.comment ?? reflection.signatures?.[0]?.comment;
        comment?.blockTags.push(new CommentTag("@category", [{ kind: "text", text: topicOf(places[0].fileName) }]));
      }
    },
    -1000,
  );
}
