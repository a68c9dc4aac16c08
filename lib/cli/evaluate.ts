// `videomae evaluate <clips>`: how far the loss on held-out clips is below that of predicting each patch's mean.
import { Command } from "commander";
import { evaluationClips } from "../eval/clips.js";
import { evaluateHeldOut, type HeldOutReport, type Ratio } from "../eval/held-out.js";
import { addRunOptions, openRun, type RunFlags } from "./open-run.js";
import { parseNumber } from "./values.js";

interface EvaluateOptions extends RunFlags {
  readonly root?: string;
  readonly limit?: number;
  readonly json?: boolean;
}

export function evaluateCommand(): Command {
  return addRunOptions(new Command("evaluate").argument("<clips>", "a folder of clips, or a list file"))
    .option("--root <folder>", "folder that relative paths of a list file start from")
    .option("--limit <count>", "at most so many clips", parseNumber)
    .option("--json", "print JSON")
    .action(evaluate);
}

async function evaluate(data: string, options: EvaluateOptions): Promise<void> {
  const { model, masks, sampling, decoder } = openRun(options);
  using _model = model;
  const { frames, image } = model.config;
  const clips = await evaluationClips(data, {
    frames,
    size: image,
    ...sampling,
    decoder,
    root: options.root,
    limit: options.limit,
    onBadFile: ({ source, reason }) => process.stderr.write(`skipped ${source}: ${reason}\n`),
  });
  const report = evaluateHeldOut(
    model,
    masks,
    clips.map((clip) => clip.frames),
  );
  console.log(
    options.json ? JSON.stringify({ clips: clips.length, ...report }, undefined, 2) : table(clips.length, report),
  );
}

function table(clips: number, { overall, quartiles }: HeldOutReport): string {
  const row = (title: string, r: Ratio) =>
    `${title.padEnd(22)} ${r.loss.toFixed(4)} / ${r.zeroLoss.toFixed(4)} = ${r.ratio.toFixed(4)}`;
  const names = ["lowest contrast", "second quarter", "third quarter", "highest contrast"];
  return [
    `${clips} clips, ${overall.tokens} hidden tokens: loss / loss of predicting each patch's mean`,
    row("all tokens", overall),
    ...quartiles.map((quartile, i) => row(names[i], quartile)),
  ].join("\n");
}
