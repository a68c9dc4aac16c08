// All commands of the command line: one file a command, loaded only when it is asked for, so that help and mistakes answer
// at once.
import { Command } from "commander";
import { manifest } from "../manifest.js";

/** Every command: what help says of it, and its file. */
const commands: readonly (readonly [name: string, description: string, load: () => Promise<Command>])[] = [
  [
    "pretrain",
    "pre-train a model on a folder of clips or a list file",
    async () => (await import("./pretrain.js")).pretrainCommand(),
  ],
  [
    "finetune",
    "train a classifier on labelled clips, from pre-trained weights",
    async () => (await import("./finetune.js")).finetuneCommand(),
  ],
  [
    "post-pretrain",
    "train a classifier on the merged classes of several data sets, to be fine-tuned later",
    async () => (await import("./finetune.js")).postPretrainCommand(),
  ],
  [
    "reconstruct",
    "show what a pre-trained model makes of a clip",
    async () => (await import("./reconstruct.js")).reconstructCommand(),
  ],
  [
    "evaluate",
    "loss on held-out clips with fixed masks, against that of predicting each patch's mean",
    async () => (await import("./evaluate.js")).evaluateCommand(),
  ],
  ["predict", "the likeliest classes of clips", async () => (await import("./predict.js")).predictCommand()],
  [
    "accuracy",
    "top-1 and top-5 of a classifier on a labelled test set",
    async () => (await import("./accuracy.js")).accuracyCommand(),
  ],
  [
    "features",
    "features of clips: one vector a clip, or one for each of a row of windows",
    async () => (await import("./features.js")).featuresCommand(),
  ],
  [
    "distill",
    "train a small classifier to agree with a large one",
    async () => (await import("./distill.js")).distillCommand(),
  ],
  [
    "probe",
    "what the features of a frozen encoder tell of classes: a linear or an attentive probe",
    async () => (await import("./probe.js")).probeCommand(),
  ],
  [
    "progressive",
    "stages of training one after the other, as a recipe names them",
    async () => (await import("./progressive.js")).progressiveCommand(),
  ],
  [
    "report",
    "one HTML page that shows a run: curves, pictures, accuracy, options",
    async () => (await import("./report.js")).reportCommand(),
  ],
  [
    "watch",
    "a page that shows a run while it goes on: curves, speed, pictures",
    async () => (await import("./watch.js")).watchCommand(),
  ],
  [
    "inspect",
    "look into data, models and weights before a run",
    async () => (await import("./inspect.js")).inspectCommand(),
  ],
  [
    "convert",
    "weights in another layout: official, or a folder that transformers opens",
    async () => (await import("./convert.js")).convertCommand(),
  ],
  [
    "average",
    "the mean of the weights of several checkpoints",
    async () => (await import("./average.js")).averageCommand(),
  ],
  ["export", "a classifier or an encoder as an ONNX file", async () => (await import("./export.js")).exportCommand()],
  [
    "merge-lists",
    "labelled data sets in one: classes merged by name, no recording both learnt from and tested on",
    async () => (await import("./merge-lists.js")).mergeListsCommand(),
  ],
  [
    "recipes",
    "named recipes of the commands that train, as YAML to start from",
    async () => (await import("./recipes.js")).recipesCommand(),
  ],
  [
    "bench",
    "how fast this machine is at what runs do, against an earlier time and against PyTorch",
    async () => (await import("./bench.js")).benchCommand(),
  ],
  [
    "tune",
    "measure which kernels are fastest on this GPU, for later runs",
    async () => (await import("./tune.js")).tuneCommand(),
  ],
  [
    "doctor",
    "what this machine has, and what is in the way of a run",
    async () => (await import("./doctor.js")).doctorCommand(),
  ],
  [
    "build-native",
    "compile the native binary here, where the package brings none that runs",
    async () => (await import("./build-native.js")).buildNativeCommand(),
  ],
];

/**
 * The command line with the command loaded that `args` ask for; the others have a name and a description. Mistakes are
 * thrown as `CommanderError`.
 */
export async function program(args: readonly string[]): Promise<Command> {
  const words = args.filter((arg) => !arg.startsWith("-"));
  const asked = words[0] === "help" ? words[1] : words[0];
  const root = new Command("videomae")
    .description("VideoMAE V2: masked video pre-training")
    .version(manifest().version)
    .addHelpText("after", "\nvideomae <command> --help says more of each.");
  for (const [name, description, load] of commands) {
    root.addCommand((name === asked ? await load() : new Command(name)).description(description));
  }
  return throwing(root);
}

/** Commander's mistakes thrown, to be told like all others. */
function throwing(command: Command): Command {
  for (const child of command.commands) throwing(child);
  return command.configureOutput({ outputError: () => {} }).exitOverride();
}
