import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openJsonl, readJsonl } from "#lib/log/jsonl.js";
import { temporaryFolder } from "../temporary-folder.js";

const folder = temporaryFolder();

test("objects are appended and read back", () => {
  const path = join(folder, "a.jsonl");
  for (const step of [1, 2]) {
    using log = openJsonl(path);
    log.write({ step, loss: 0.5, name: "é\n" });
  }
  expect(readJsonl(path)).toEqual([1, 2].map((step) => ({ step, loss: 0.5, name: "é\n" })));
  expect(readFileSync(path, "utf8").split("\n")).toHaveLength(3);
});

test("numbers that are not finite become null and are named", () => {
  const path = join(folder, "b.jsonl");
  using log = openJsonl(path);
  log.write({
    loss: Number.NaN,
    norm: { total: Number.POSITIVE_INFINITY, parts: [1, Number.NEGATIVE_INFINITY] },
    step: 1,
  });
  expect(readJsonl(path)).toEqual([
    { loss: null, norm: { total: null, parts: [1, null] }, step: 1, nonFinite: ["loss", "norm.total", "norm.parts.1"] },
  ]);
});

test("a line cut by a crash is left out when reading and cut off when opening", () => {
  const path = join(folder, "c.jsonl");
  writeFileSync(path, '{"step":1}\n{"step":2}\n');
  appendFileSync(path, `{"step":3,"text":"${"x".repeat(200_000)}`);
  expect(readJsonl(path)).toEqual([{ step: 1 }, { step: 2 }]);
  using log = openJsonl(path);
  log.write({ step: 3 });
  expect(readJsonl(path)).toEqual([{ step: 1 }, { step: 2 }, { step: 3 }]);
});

test("a log that is nothing but a cut line starts anew", () => {
  const path = join(folder, "d.jsonl");
  writeFileSync(path, '{"st');
  openJsonl(path).close();
  expect(readFileSync(path, "utf8")).toBe("");
});

test("a broken line in the middle is named by number", () => {
  const path = join(folder, "e.jsonl");
  writeFileSync(path, '{"step":1}\nnonsense\n{"step":3}\n');
  expect(() => readJsonl(path)).toThrow(`${path}:2: expected one JSON object; got nonsense`);
  writeFileSync(path, "[1]\n");
  expect(() => readJsonl(path)).toThrow(/:1: expected one JSON object/);
});

test("a closed log and a missing folder are errors", () => {
  const log = openJsonl(join(folder, "f.jsonl"));
  log.close();
  log.close();
  expect(() => log.write({})).toThrow(/closed/);
  expect(() => openJsonl(join(folder, "none", "g.jsonl"))).toThrow(/none\/g\.jsonl.*folder exists/);
});

test("a log is cut to a length, at the end of a line", () => {
  const path = join(folder, "h.jsonl");
  const lines = ['{"step":1}\n', '{"step":2}\n', '{"step":3}\n'];
  for (const [bytes, left] of [
    [11, 1],
    [21, 1],
    [22, 2],
    [1000, 3],
    [0, 0],
  ]) {
    writeFileSync(path, lines.join(""));
    using log = openJsonl(path, { bytes });
    expect(log.bytes).toBe(11 * left);
    log.write({ step: 9 });
    log.flush();
    expect(readJsonl(path)).toEqual([...[1, 2, 3].slice(0, left), 9].map((step) => ({ step })));
    expect(log.bytes).toBe(11 * (left + 1));
  }
});
