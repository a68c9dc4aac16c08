// What `videomae merge-lists` merges: labelled data sets by name, and which of their classes are the same.
//
//   sets:
//     k400: { classes: k400.txt, train: k400/train.csv, test: k400/val.csv, root: /data/k400 }
//     k600: { classes: k600.txt, train: k600/train.csv, test: k600/val.csv, root: /data/k600 }
//   same:
//     hugging: hugging (not baby)
//   identity: [path, youtube]

import type * as zod from "zod";
import { lazy } from "../lazy.js";
import { z } from "../zod.js";
import { firstMistake } from "./explain-issue.js";
import { parseYaml, readYaml } from "./yaml-options.js";

const set = () =>
  z.strictObject({
    classes: z.string().min(1).optional().describe("file with the name of a class a line; a folder names its own"),
    train: z.string().min(1).describe("labelled list to learn from, or a folder with a sub-folder for each class"),
    test: z.string().min(1).optional().describe("labelled list, or such a folder, to be tested on"),
    root: z.string().min(1).optional().describe("folder that relative paths of the lists start from"),
    framesTemplate: z.string().min(1).optional().describe("file names of raw frames"),
    pictures: z.enum(["start-total", "total-label"]).optional().describe("what two numbers after a folder are"),
    startIndex: z.int().min(0).optional().describe("number of the first picture where a line does not say it"),
  });

const schema = lazy(() =>
  z.strictObject({
    sets: z.record(z.string().regex(/^[\w.-]+$/), set()).describe("the data sets by name"),
    same: z.record(z.string(), z.string()).optional().describe("class names that mean another: old name to new"),
    identity: z
      .array(z.enum(["path", "youtube", "name", "content"]))
      .min(1)
      .optional()
      .describe("what makes two lines the same recording"),
  }),
);

export type MergeConfig = zod.infer<ReturnType<typeof schema>>;

/**
 * Reads what to merge.
 * @throws VideomaeError with file, line and column for a mistake in it
 */
export function loadMergeConfig(file: string): MergeConfig {
  const { options, refuse } = parseYaml(readYaml(file, "data sets to merge, in YAML"), file);
  const mistake = firstMistake(schema(), options);
  if (mistake) refuse(mistake);
  return schema().parse(options);
}
