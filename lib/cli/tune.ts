// `videomae tune`: measures which kernels are fastest on a GPU for the steps of a model, and keeps that for later runs.
import { Command, Option } from "commander";
import { forgetKernels, kernelReport, measuredWorks, storeKernels } from "../bench/kernel-report.js";
import { type KernelWork, measureKernels, passes } from "../bench/measure-kernels.js";
import { VideomaeError } from "../errors.js";
import { PieceProgress } from "../log/piece-progress.js";
import { modelName } from "../models/sizes.js";
import { describeGpu } from "../tensor/devices.js";
import type { Device } from "../tensor/dtype.js";
import { choicesOf } from "../tensor/kernel-table.js";
import { parseNumber } from "./values.js";

interface TuneFlags {
  readonly device: Device;
  readonly model: string;
  readonly batchSize: number;
  readonly dtype: KernelWork["dtype"];
  readonly decoderMaskRatio: number;
  readonly image?: number;
  readonly frames?: number;
  readonly classifier?: boolean;
  readonly classes: number;
  readonly dryRun?: boolean;
  readonly forget?: boolean;
}

export function tuneCommand(): Command {
  return new Command("tune")
    .option("--device <name>", "the GPU: cuda, cuda:1 ...", "cuda")
    .option("--model <size>", "small, base, large, huge, giant, or S, B, L, H, g", "vit-base")
    .option("--batch-size <videos>", "clips in a batch, as your run has them", parseNumber, 32)
    .addOption(new Option("--dtype <name>", "what activations are in").choices(["bf16", "f32"]).default("bf16"))
    .option("--decoder-mask-ratio <ratio>", "tokens not reconstructed; 0: none", parseNumber, 0.5)
    .option("--image <pixels>", "side of the input (default: the model's)", parseNumber)
    .option("--frames <count>", "frames of a clip (default: the model's)", parseNumber)
    .option("--classifier", "the step of fine-tuning, and not that of pre-training")
    .option("--classes <count>", "classes of the classifier", parseNumber, 400)
    .option("--dry-run", "measure and print, and keep nothing")
    .option("--forget", "remove what was measured on this GPU")
    .addHelpText(
      "after",
      `
Sizes decide which kernel is fastest: measure with those of your run. What was measured before stays beside it.
Runs take the fastest kernels from then on; VIDEOMAE_KERNELS=off does without.

Examples:
  videomae tune --model base --batch-size 32
  videomae tune --model large --batch-size 8 --classifier
  videomae tune --forget`,
    )
    .action(tune);
}

function tune(flags: TuneFlags): void {
  const { device, classifier, classes, batchSize, forget, dryRun, model, ...rest } = flags;
  if (device === "cpu") {
    const hint = "kernels of the CPU are chosen by its instruction set: there is nothing to measure";
    throw new VideomaeError({ op: "tune --device", expected: "a GPU", got: "cpu", hint });
  }
  const gpu = describeGpu(device);
  if (forget) {
    const removed = forgetKernels(gpu.name);
    console.log(removed === undefined ? `nothing is kept for ${gpu.name}` : `removed ${removed}`);
    return;
  }
  const work = { ...rest, device, model: modelName(model), clips: batchSize, ...(classifier && { classes }) };
  const works = measuredWorks(measure(work));
  if (Object.keys(works).length === 0) {
    console.log(`nothing to choose: no work of this step has several kernels on ${gpu.name}`);
    return;
  }
  console.log(kernelReport(works));
  if (dryRun) return;
  const { file, table, dropped } = storeKernels(gpu, works);
  if (dropped !== undefined) console.log(`earlier measurements are left out: ${dropped}`);
  const all = Object.keys(table.works).length;
  console.log(`${choicesOf(table).length} of ${all} pieces of work have a faster kernel than the default: ${file}`);
}

function measure(work: KernelWork) {
  const what = `${work.model}, batch ${work.clips}, ${work.dtype}`;
  const pieces = passes.map((pass) => ({ label: `${pass} of ${what}`, weight: pass === "backward" ? 2 : 1 }));
  const progress = new PieceProgress(pieces);
  try {
    return measureKernels(work, (pass) => progress.begin(passes.indexOf(pass)));
  } finally {
    progress.stop();
  }
}
