// The stage `training`: the real commands on the clips in the bundle, each beginning with what the one before it left.
// Pre-training, fine-tuning, distillation and a probe; the loss of each must fall.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { readJsonl } from "videomae";
import type { StageRun } from "./stage.js";
import { ours, videomae } from "./subject.js";

export interface TrainingStageOptions {
  /** Folder for the picture of a reconstruction. */
  readonly out: string;
  /** Takes few updates. */
  readonly rehearse: boolean;
  /** Trains on the GPU, in bf16. */
  readonly gpu: boolean;
}

/** One command that trains. */
interface Training {
  readonly name: string;
  readonly command: string;
  readonly updates: number;
  readonly options: readonly (string | number)[];
}

export async function training(run: StageRun, { out, rehearse, gpu }: TrainingStageOptions): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), "training-"));
  const at = (name: string) => path.join(folder, name);
  const device = gpu ? ["--device", "cuda", "--dtype", "bf16"] : [];
  const train = async ({ name, command, updates, options }: Training, share: number) => {
    const common = ["--steps", updates, "--save-every", updates, "--log-every", 1, "--stride", 2, "--out", at(command)];
    const argv = [...videomae, command, "clips/train.txt", ...options, ...common].map(String);
    // Asked to end at its limit, a run saves and leaves its log, so what follows works on what there is.
    await run.command([...argv, ...device], { limit: run.left() * share });
    const detail = fallenLoss(at(command), `${name} of drawn clips${gpu ? " on cuda" : ""}`, run);
    if (detail !== undefined) throw new Error(detail);
  };
  try {
    const size = ["--image", 64, "--patch", 16, "--frames", 8, "--width", 192, "--depth", 6, "--heads", 3];
    const decoder = ["--decoder-width", 128, "--decoder-heads", 2, "--mask-ratio", 0.6];
    const rates = ["--batch-size", 8, "--views", 2, "--lr", 3.2e-2, "--min-lr", 3.2e-4, "--workers", 4];
    const pretraining = ["--model", "vit-tiny", ...size, ...decoder, ...rates];
    const updates = rehearse ? 60 : 300;
    await train({ name: "pre-training", command: "pretrain", updates, options: pretraining }, rehearse ? 0.4 : 0.5);
    await run.command([...videomae, "evaluate", "clips/held-out.txt", "--weights", at("pretrain")]);
    const picture = path.join(out, "reconstruction.webp");
    const { reason } = await run.command([
      ...videomae,
      "reconstruct",
      "clips/held-out.txt",
      "--weights",
      at("pretrain"),
      "--out",
      picture,
    ]);
    if (reason !== undefined) throw new Error(`reconstruct: ${reason}`);

    // Everything that a captured step may hold: drop path, averaged weights, batches added up, mixing.
    const labelled = ["--validation", "clips/held-out.txt", "--validate-epochs", 5, "--batch-size", 8, "--workers", 4];
    const finetuning = ["--weights", at("pretrain"), "--drop-path", 0.1, "--ema-decay", 0.9, "--accumulate", 2];
    const augmentation = ["--views", 1, "--rand-augment", "none", "--flip", 0, "--head-init-scale", 1, "--lr", 1.6e-2];
    const distillation = ["--teacher", at("finetune"), "--weights", at("pretrain"), "--mixup", 0, "--cutmix", 0];
    const probing = ["--weights", at("pretrain"), "--kind", "linear", "--lr", 3.2e-1];
    const few = rehearse ? 15 : 120;
    const stages: readonly Training[] = [
      {
        name: "fine-tuning",
        command: "finetune",
        updates: few,
        options: [...finetuning, ...augmentation, ...labelled],
      },
      {
        name: "distillation",
        command: "distill",
        updates: few,
        options: [...distillation, ...augmentation, ...labelled],
      },
      { name: "a linear probe", command: "probe", updates: few, options: [...probing, ...labelled] },
    ];
    for (const [i, stage] of stages.entries()) await train(stage, 1 / (stages.length - i + 0.5));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Records whether the loss in a run's log fell, and returns what is wrong where it did not. */
function fallenLoss(folder: string, name: string, run: StageRun): string | undefined {
  const losses = readJsonl(path.join(folder, "log.jsonl"))
    .filter(({ event }) => event === undefined) // the others measure accuracy
    .map(({ loss }) => loss)
    .filter((loss): loss is number => typeof loss === "number");
  const mean = (part: number[]) => part.reduce((sum, loss) => sum + loss, 0) / part.length;
  const third = Math.ceil(losses.length / 3);
  const [first, last] = [mean(losses.slice(0, third)), mean(losses.slice(-third))];
  const detail = `loss ${first.toFixed(4)} to ${last.toFixed(4)} in ${losses.length} updates`;
  const verdict = last < first ? "as expected" : "failed";
  run.row({ bench: "training", ...ours(), name, verdict, detail });
  return verdict === "failed" ? `${name}: ${detail}` : undefined;
}
