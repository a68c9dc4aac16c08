// `videomae merge-lists <file>`: labelled data sets in one, as Kinetics-710 was made.
import { mkdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { Command } from "commander";
import { loadMergeConfig, type MergeConfig } from "../config/merge-config.js";
import { readClassNames } from "../data/class-names.js";
import { type LabelledSource, readLabelledSources } from "../data/labelled-sources.js";
import { labelledLine } from "../data/list-line.js";
import { type LabelledSet, type MergedSets, mergeSets } from "../data/merge-lists.js";
import { sourcePath } from "../data/source.js";
import { writeFileAtomic } from "../io/atomic-file.js";
import { Counter } from "../log/counter.js";

export function mergeListsCommand(): Command {
  return new Command("merge-lists")
    .argument("<file>", "YAML that names the data sets; paths in it start from its folder")
    .requiredOption("--out <folder>", "where the merged lists, class names and label maps go")
    .addHelpText(
      "after",
      `
The file:
  sets:
    k400: { classes: k400.txt, train: k400/train.csv, test: k400/val.csv, root: /data/k400 }
    k600: { classes: k600.txt, train: k600/train.csv, test: k600/val.csv, root: /data/k600 }
  same:                                # classes of other names: old name to the one that stays
    hugging: hugging (not baby)
  identity: [path, youtube]            # what makes two lines one recording; also: name, content

Written: classes.txt, train.csv, test.csv, and map-<set>.json, the merged number of each class of a set. Classes are
merged by name. A recording is kept once, and none is learnt from that is tested on.

Example:
  videomae merge-lists kinetics.yaml --out k710`,
    )
    .action(mergeLists);
}

function mergeLists(file: string, options: { readonly out: string }): void {
  const config = loadMergeConfig(file);
  const sets = Object.entries(config.sets).map(([name, set]) => readSet(name, set, resolve(dirname(file))));
  const counter = new Counter("lines");
  let merged: MergedSets;
  try {
    const onProgress = (done: number, total: number) => counter.update(done, total);
    merged = mergeSets(sets, { same: config.same, identity: config.identity, onProgress });
  } finally {
    counter.stop();
  }
  write(options.out, sets, merged);
  for (const { where, reason } of merged.leftOut) process.stderr.write(`left out ${where}: ${reason}\n`);
  for (const [a, b] of merged.nearlySame) process.stderr.write(`kept apart: "${a}" and "${b}"\n`);
  const counts = `${merged.train.length} to learn from, ${merged.test.length} to test on`;
  console.log(`${options.out}: ${merged.classes.length} classes, ${counts}, ${merged.leftOut.length} left out`);
}

function readSet(name: string, set: MergeConfig["sets"][string], base: string): LabelledSet {
  const { classes: names, train, test, root, ...how } = set;
  const from = root === undefined ? how : { ...how, root: resolve(base, root) };
  const given = names === undefined ? undefined : readClassNames(resolve(base, names));
  const learnt = readLabelledSources(resolve(base, train), { ...from, classes: given });
  const { classes } = learnt;
  const tested =
    test === undefined
      ? []
      : readLabelledSources(resolve(base, test), { ...from, classes, allowEmptyClasses: true }).sources;
  return { name, classes, train: learnt.sources, test: tested };
}

function write(folder: string, sets: readonly LabelledSet[], merged: MergedSets): void {
  mkdirSync(folder, { recursive: true });
  const text = (name: string, content: string) =>
    writeFileAtomic(join(folder, name), (sink) => sink(new TextEncoder().encode(`${content}\n`)));
  const lines = (sources: readonly LabelledSource[]) =>
    sources.map((source) => labelledLine(sourcePath(source), source, source.label)).join("\n");
  text("classes.txt", merged.classes.join("\n"));
  text("train.csv", lines(merged.train));
  if (merged.test.length > 0) text("test.csv", lines(merged.test));
  for (const [i, { name }] of sets.entries()) text(`map-${name}.json`, JSON.stringify(merged.maps[i]));
}
