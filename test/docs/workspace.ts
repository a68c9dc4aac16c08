// A folder with all the files that the pages name: clips, lists, class names, and the folders of two tiny runs, which
// also stand for what other pages call by other names.

import { copyFileSync, cpSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { readFloats } from "#lib/io/stored-numbers.js";
import { openWeights } from "#lib/io/weights.js";
import { checkout } from "../../bench/checkout.js";
import { makeClips } from "../../examples/make-clips.js";
import { f32Tensor, global, pushed, pytorchZip, Raw } from "../io/pytorch-writer.js";
import { commandLines, runLine } from "./command-lines.js";

/** Of the data sets, and how one of them calls the first. */
const CLASSES = ["hugging (not baby)", "abseiling"];
const OTHER_CLASSES = ["hugging", "abseiling"];

const RECIPE = `
out: runs/stages
shared: { batchSize: 2, views: 1, warmupSteps: 1, workers: 1 }
stages:
  pretrain: { data: clips/, model: vit-tiny, steps: 2, maskRatio: 0.75 }
  finetune: { from: pretrain, data: train.csv, classes: classes.txt, steps: 1, randAugment: none }
`;

/** Fills the folder. */
export async function fillWorkspace(folder: string): Promise<void> {
  const at = (name: string) => path.join(folder, name);
  const write = (name: string, text: string) => {
    mkdirSync(path.dirname(at(name)), { recursive: true });
    writeFileSync(at(name), text);
  };
  // The package as a user has installed it, with the declarations of Node.
  mkdirSync(at("node_modules"));
  symlinkSync(checkout, at("node_modules/videomae"));
  symlinkSync(path.join(checkout, "node_modules/@types"), at("node_modules/@types"));

  const made = await makeClips(at("clips"), { count: 12, frames: 20, size: 32 });
  for (const name of ["held-out", "videos", "more", "instagram"]) {
    mkdirSync(at(name));
    for (const clip of made.slice(0, 2)) copyFileSync(clip.path, path.join(at(name), path.basename(clip.path)));
  }
  copyFileSync(made[0].path, at("clip.mp4"));

  const labelled = (from: number, to: number) =>
    made.slice(from, to).map((clip, i) => `clips/${path.basename(clip.path)} ${i % CLASSES.length}\n`);
  for (const name of ["train.csv", "list.csv", "k710.csv", "ssv2.csv", "lists/train.csv"]) {
    write(name, labelled(0, 8).join(""));
  }
  for (const name of ["val.csv", "lists/val.csv"]) write(name, labelled(8, 12).join(""));
  for (const name of ["classes.txt", "k710.txt", "k600.txt"]) write(name, `${CLASSES.join("\n")}\n`);
  write("k400.txt", `${OTHER_CLASSES.join("\n")}\n`);
  for (const name of ["lists/pool.csv", "lists/mixture.csv"]) write(name, labelled(0, 8).join(""));
  write("recipe.yaml", RECIPE);
  // Lists in folders of their own, with whole paths, which mean the same wherever they start from.
  const whole = (from: number, to: number) => labelled(from, to).map((line) => `${folder}/${line}`);
  write("k400/train.csv", whole(0, 3).join(""));
  write("k600/train.csv", whole(3, 6).join(""));
  write("k400/val.csv", whole(8, 10).join(""));
  write("k600/val.csv", whole(10, 12).join(""));

  for (const line of commandLines(`
    videomae pretrain clips/ --out runs/pretrain
    videomae finetune train.csv --classes classes.txt --weights runs/pretrain --out runs/ft
    videomae convert runs/ft classifier.safetensors --to official-classifier
    videomae convert runs/pretrain pretrain.safetensors --to official-pretrain
  `)) {
    const { status, output } = await runLine(line, folder);
    if (status !== 0) throw new Error(`${line.words.join(" ")}: ${output}`);
  }
  cpSync(at("runs/pretrain"), at("runs/pt"), { recursive: true });
  for (const name of ["post", "giant"]) cpSync(at("runs/ft"), at(`runs/${name}`), { recursive: true });
  for (const name of ["a", "b"]) copyFileSync(at("classifier.safetensors"), at(`${name}.safetensors`));

  const pretrained = await pytorchFile(at("pretrain.safetensors"));
  const classifier = await pytorchFile(at("classifier.safetensors"));
  writeFileSync(at("vit_b.pth"), pretrained);
  for (const name of ["vit_b_ft", "vit_b_k710_dl_from_giant", "g", "g-k710", "c"]) {
    writeFileSync(at(`${name}.pth`), classifier);
  }
}

/** The same weights as torch.save writes them, with what the training was told of its clips. */
async function pytorchFile(file: string): Promise<Buffer> {
  using weights = await openWeights(file);
  const storages: Record<string, Uint8Array> = {};
  const model = new Map(
    weights.names.map((name, i) => {
      const values = readFloats(weights, name);
      storages[String(i)] = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
      return [name, f32Tensor(String(i), weights.entry(name).shape)];
    }),
  );
  const told = pushed(new Map(Object.entries({ input_size: 32, num_frames: 8 })));
  const args = new Raw(
    Buffer.concat([global("argparse", "Namespace"), Buffer.from([0x29, 0x81]), told, Buffer.from("b")]),
  );
  return pytorchZip(new Map<string, unknown>(Object.entries({ model, args })), storages);
}
