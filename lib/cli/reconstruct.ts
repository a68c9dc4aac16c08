// `videomae reconstruct <clip>`: original, masked input and reconstruction side by side, as an animated WebP and a PNG
// sheet.
import path from "node:path";
import { Command } from "commander";
import { VideomaeError } from "../errors.js";
import { evaluationClips } from "../eval/clips.js";
import { renderReconstruction, writeSheet } from "../eval/picture.js";
import { reconstructionPanels } from "../eval/reconstruct.js";
import { addRunOptions, openRun, type RunFlags } from "./open-run.js";
import { parseNumber } from "./values.js";

interface ReconstructOptions extends RunFlags {
  readonly out: string;
  readonly mask: number;
  readonly fps: number;
}

export function reconstructCommand(): Command {
  return addRunOptions(new Command("reconstruct").argument("<clip>", "a video"))
    .option("--out <file>", "the animation, .webp; a .png sheet is written beside it", "reconstruction.webp")
    .option("--mask <number>", "which of the fixed masks to use", parseNumber, 0)
    .option("--fps <rate>", "frames a second of the animation", parseNumber, 8)
    .action(reconstruct);
}

async function reconstruct(clip: string, options: ReconstructOptions): Promise<void> {
  if (path.extname(options.out) !== ".webp") {
    throw new VideomaeError({ op: "reconstruct --out", expected: "a name ending in .webp", got: options.out });
  }
  const { model, masks, sampling, decoder } = openRun(options);
  using _model = model;
  const { frames, image } = model.config;
  const [{ frames: pixels }] = await evaluationClips(clip, { frames, size: image, ...sampling, decoder });
  const panels = reconstructionPanels(model, masks, pixels, options.mask);
  const sheet = options.out.replace(/\.webp$/, ".png");
  await renderReconstruction(options.out, { panels, side: image, fps: options.fps });
  await writeSheet(sheet, { panels, side: image });
  console.log(`${options.out}, ${sheet}`);
}
