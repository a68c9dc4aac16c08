import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { checkout } from "../../bench/checkout.js";
import { readResults, renderPage } from "../../bench/table.js";
import { wantedTables } from "../../bench/wanted.js";
import { stepRow } from "./rows.js";

const wanted = [
  {
    title: "Steps",
    rows: [
      { label: "S", fields: { bench: "step", device: "cpu", model: "vit-small", dtype: "f32" } },
      { label: "B", fields: { bench: "step", device: "cpu", model: "vit-base", dtype: "f32" } },
    ],
  },
];
const page = (files: Parameters<typeof renderPage>[0]) => renderPage(files, wanted).split("## Steps")[1];
const pytorch = (fields: Record<string, unknown>) => stepRow({ system: "pytorch", ...fields });

describe("the page of figures", () => {
  it("says what nobody measured", () => {
    expect(page([])).toContain("| S | unmeasured | unmeasured | | | |\n| B | unmeasured | unmeasured | | | |");
  });

  it("shows a measured row with its file, date and machine, and no ratio without a partner", () => {
    const text = page([{ name: "a.jsonl", rows: [stepRow()] }]);
    const source = "[2026-01-02](../bench/results/a.jsonl) A processor, 2 cores, 2 threads";
    expect(text).toContain(`| S | 20 clips/s (100 ms) | unmeasured |  |  | ${source} |`);
    expect(text).toContain("| B | unmeasured");
  });

  it("gives a ratio within one file only", () => {
    const other = pytorch({ medianMs: 110, variant: { compile: "default" } });
    const slower = pytorch({ medianMs: 120, variant: { compile: "none" } });
    const together = page([{ name: "a.jsonl", rows: [stepRow(), other, slower] }]);
    expect(together).toContain("| 20 clips/s (100 ms) | 20 clips/s (110 ms) | 1.10 | 1.00 |");
    const apart = page([
      { name: "a.jsonl", rows: [stepRow()] },
      { name: "b.jsonl", rows: [other] },
    ]);
    expect(apart).toContain("| 20 clips/s (100 ms) | 20 clips/s (110 ms) |  |  |");
  });

  it("takes the newest file, marks a disturbed row, and leaves quick rows out", () => {
    const files = [
      { name: "b.jsonl", rows: [stepRow({ medianMs: 91, date: "2026-02-02T00:00:00Z", otherCores: 0.4 })] },
      { name: "a.jsonl", rows: [stepRow()] },
      { name: "c.jsonl", rows: [stepRow({ medianMs: 92, date: "2026-03-02T00:00:00Z", quick: true })] },
    ];
    expect(page(files)).toContain("(91 ms) † |");
  });

  it("has a line for each machine", () => {
    const rows = [stepRow(), stepRow({ machine: { name: "B", cores: 8 }, threads: 8 })];
    const text = page([{ name: "a.jsonl", rows }]);
    expect(text).toContain("A processor, 2 cores, 2 threads |");
    expect(text).toContain("B, 8 cores, 8 threads |");
  });

  it("lists no work twice", () => {
    const works = wantedTables.flatMap(({ rows }) => rows.map(({ fields }) => JSON.stringify(fields)));
    expect(new Set(works).size).toBe(works.length);
  });
});

it("docs/performance.md is what the results give", () => {
  const text = readFileSync(join(checkout, "docs", "performance.md"), "utf8");
  expect(text === renderPage(readResults()), "run npm run bench:table").toBe(true);
});
