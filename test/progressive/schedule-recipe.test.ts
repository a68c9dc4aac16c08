// Mistakes in the recipe of a schedule, each told with its place, and what a right one comes to.
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { planSchedule } from "#lib/progressive/schedule-recipe.js";
import { temporaryFolder } from "../temporary-folder.js";

const folder = temporaryFolder();
const data = path.join(folder, "list.csv");
writeFileSync(data, "clip.mp4 0 -1\n");
let files = 0;

function plan(text: string) {
  const file = path.join(folder, `recipe-${files++}.yaml`);
  writeFileSync(file, text.replaceAll("$data", data));
  return planSchedule(file);
}

const right = `out: runs/a
shared: { seed: 3, lr: 0.1 }
stages:
  pretrain:
    extends: vit-b-hybrid-800e
    data: $data
    steps: 10
  fine:
    stage: finetune
    from: pretrain.best
    data: $data
    lr: 0.2
`;

describe("the recipe of a schedule", () => {
  it("gives each stage its own options over the shared ones over those of the recipe it extends", () => {
    const { out, stages } = plan(right);
    expect(out).toBe("runs/a");
    expect(stages).toMatchObject([
      { name: "pretrain", folder: "runs/a/pretrain", options: { seed: 3, lr: 0.1, maskRatio: 0.9, steps: 10, data } },
      { name: "fine", from: { stage: "pretrain", checkpoint: "best" }, options: { seed: 3, lr: 0.2, data } },
    ]);
    expect(stages[0].options).not.toHaveProperty("epochs");
    expect(stages[0].from).toBeUndefined();
    expect(stages[1].options).not.toHaveProperty("weights");
  });

  it.each([
    ["    lr: 0.2", "    lrs: 0.2", /yaml:12:5 stages\.fine: expected a known option; got "lrs".*did you mean "lr"/],
    ["    lr: 0.2", "    lr: -1", /yaml:12:5 stages\.fine\.lr: expected .*>=0; got -1/],
    ["seed: 3", "sed: 3", /yaml:2:11 shared: expected a known option; got "sed".*"seed"/],
    ["seed: 3", "seed: 0.5", /yaml:2:11 shared\.seed: expected an integer; got 0.5/],
    ["seed: 3", "out: x", /yaml:2:11 shared\.out: expected no out/],
    ["stage: finetune", "stage: finetuen", /yaml:9:5 stages\.fine\.stage: expected one of .*finetune.*did you mean/],
    ["    stage: finetune\n", "", /yaml:8:3 stages\.fine: expected stage: one of .*finetune/],
    ["from: pretrain.best", "from: pretrian", /yaml:10:5 stages\.fine\.from: .*did you mean "pretrain"/],
    ["from: pretrain.best", "from: fine", /stages\.fine\.from: expected a stage before this one/],
    ["from: pretrain.best", "from: pretrain.first", /yaml:10:5 stages\.fine\.from/],
    ["    steps: 10", "    from: pretrain", /yaml:7:5 stages\.pretrain\.from: expected no hand-over/],
    ["    steps: 10", "    resume: false", /yaml:7:5 stages\.pretrain\.resume: expected no resume/],
    ["from: pretrain.best", "extends: vit-b", /yaml:10:5 stages\.fine\.extends: expected one of vit-b-k400/],
    ["vit-b-hybrid-800e", "vit-b-hybrid-80e", /yaml:5:5 stages\.pretrain\.extends: .*did you mean "vit-b-hybrid-800e"/],
    ["    data: $data\n    lr", "    lr", /yaml:8:3 stages\.fine: expected the option data; got nothing/],
    [
      "data: $data\n    lr",
      "data: lists/none.csv\n    lr",
      /yaml:11:5 stages\.fine\.data: .*no such file: lists\/none/,
    ],
    [/^stages:.*/ms, "stages: {}\n", /yaml:3:1 stages: expected at least one stage/],
    [/^stages:.*/ms, "stage: {}\n", /yaml:1:1 stages: expected record; got nothing/],
  ])("%s -> %s", (from, to, message) => {
    expect(() => plan(right.replace(from, to))).toThrow(message);
  });

  it("of the examples is right", () => {
    const text = readFileSync(path.resolve(import.meta.dirname, "../../examples/motion.yaml"), "utf8");
    const lists = [
      "motion_pool.csv",
      "motion_pool_labelled.csv",
      "motion_train.csv",
      "motion_val.csv",
      "motion_labels.txt",
    ];
    for (const list of lists) writeFileSync(path.join(folder, list), "clip.mp4 0\n");
    const { stages } = plan(text.replaceAll("lists/", `${folder}/`));
    expect(stages.map(({ name }) => name)).toEqual(["pretrain", "post-pretrain", "finetune"]);
  });

  it("may be an object, whose mistakes are told with their path", () => {
    expect(planSchedule({ stages: { pretrain: { data } } }, "runs/b").stages[0].folder).toBe("runs/b/pretrain");
    expect(() => planSchedule({ stages: { pretrain: { data, lr: "x" } } })).toThrow(
      /progressive stages\.pretrain\.lr: expected number; got "x"/,
    );
  });
});
