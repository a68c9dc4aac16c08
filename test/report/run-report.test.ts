// The page of a run: that it holds what the folder tells, and nothing that would be fetched or run.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { encodeRecord } from "#lib/log/jsonl.js";
import { html } from "#lib/report/html.js";
import { writeRunReport } from "#lib/report/run-report.js";
import { pretrain } from "#lib/train/pretrain.js";
import { makeClips } from "../../examples/make-clips.js";
import { temporaryFolder } from "../temporary-folder.js";

const folder = temporaryFolder();

/** A folder as a classifier's run leaves it, without checkpoints. */
function classifierRun(name: string, classes: readonly string[]): string {
  const run = path.join(folder, name);
  mkdirSync(run);
  const updates = Array.from({ length: 40 }, (_, i) => ({
    ...{ step: i + 1, steps: 40, learningRate: 1e-3, gradientNorm: 1 },
    loss: i === 20 ? Number.NaN : 2 - i / 40,
  }));
  const lines = [
    { event: "note", note: "a <b>note</b>" },
    { event: "machine", host: "box", processor: "a processor", processors: 2 },
    ...updates,
    { event: "validation", update: 40, top1: 0.75, top5: 1 },
  ];
  writeFileSync(path.join(run, "log.jsonl"), lines.map((line) => `${encodeRecord(line)}\n`).join(""));
  writeFileSync(path.join(run, "recipe.yaml"), "data: lists/<train>.csv\nmodel: vit-small\n");
  const rates = classes.map((name, i) => ({ class: i, name, clips: 4, correct: 3 }));
  const confusion = classes.map((_, i) =>
    classes.map((_, j) => (i === j ? 3 : j === (i + 1) % classes.length ? 1 : 0)),
  );
  const report = { schema: "videomae.validation/1", step: 40, top1: 0.75, classes: rates, confusion };
  writeFileSync(path.join(run, "validation.json"), JSON.stringify(report));
  return run;
}

/** Whatever a browser would ask others for, or run. */
const outside = /<script|<link|<iframe|\son\w+=|(src|href)="(?!data:|#)|url\(["']?(?!#)|@import/;

describe("the report of a run", () => {
  it("shows curves, accuracy and what was said, with names as they are", async () => {
    const run = classifierRun("classes", ["<script>alert(1)</script>", `a "quoted" & 'odd' name`, "plain"]);
    const page = readFileSync(await writeRunReport(run), "utf8");
    expect(page).not.toMatch(outside);
    expect(page).not.toMatch(/NaN|undefined|\[object/);
    expect(page).toContain("&lt;script&gt;alert(1)&lt;/script&gt;");
    expect(page).toContain("a &lt;b&gt;note&lt;/b&gt;");
    expect(page).toContain("lists/&lt;train&gt;.csv");
    expect(page).toContain("a processor");
    expect(page).toContain("75.0 %");
    expect(page).toContain("<dd>40 of 40</dd>");
    for (const label of ["loss", "accuracy, %", "learning rate", "gradient norm"]) expect(page).toContain(`>${label}<`);
    expect(page).toContain("plain taken for plain: 3 of 4");
  });

  it("folds the table of many classes away", async () => {
    const run = classifierRun(
      "many",
      Array.from({ length: 80 }, (_, i) => `class ${i}`),
    );
    const page = readFileSync(await writeRunReport(run, { out: path.join(folder, "many.html") }), "utf8");
    expect(page).toContain("<summary>Accuracy of each of 80 classes</summary>");
    expect(page).not.toMatch(outside);
  });

  it("shows what a pre-trained model makes of clips, or says why it cannot", async () => {
    const clips = path.join(folder, "clips");
    await makeClips(clips, { count: 3, frames: 20 });
    const out = path.join(folder, "pretraining");
    const options = { data: clips, out, model: "vit-tiny", stride: 2, batchSize: 2, workers: 0, maskRatio: 0.75 };
    await pretrain({ ...options, steps: 2, logEvery: 1 });
    const shown = async (data?: string) =>
      readFileSync(await writeRunReport(out, { reconstructions: { data, limit: 2 } }), "utf8");
    const page = await shown();
    expect(page.match(/data:image\/webp;base64,/g)).toHaveLength(2);
    expect(page).not.toMatch(outside);
    expect(page).toContain("pretrain of vit-tiny");
    expect(await shown(path.join(folder, "nothing"))).toMatch(
      /Reconstructions<\/h3><p class="muted">There are none: .*nothing/,
    );
  });

  it("is refused for a folder that is none of a run, and for a damaged report of a validation", async () => {
    await expect(writeRunReport(folder)).rejects.toThrow(/folder of a run, with log.jsonl and recipe.yaml/);
    const run = classifierRun("damaged", ["a", "b"]);
    writeFileSync(path.join(run, "validation.json"), `{"schema": "videomae.validation/1"}`);
    await expect(writeRunReport(run)).rejects.toThrow(/validation\.json: expected the report of a validation/);
  });
});

it("HTML of a template escapes all that is not HTML already", () => {
  const list = ["<a>", `"&'`].map((text) => html`<li>${text}</li>`);
  expect(html`<ul title="${`"'`}">${list}${undefined}${7}</ul>`.source).toBe(
    `<ul title="&quot;&#39;"><li>&lt;a&gt;</li><li>&quot;&amp;&#39;</li>7</ul>`,
  );
});
