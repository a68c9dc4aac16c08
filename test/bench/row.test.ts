import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { identity, machineOf, parseRow, readRows } from "#lib/bench/row.js";
import { temporaryFolder } from "../temporary-folder.js";
import { stepRow } from "./rows.js";

const parse = (fields: Record<string, unknown>) => parseRow(JSON.stringify(stepRow(fields)), "rows.jsonl:7");

describe("a row", () => {
  it("is read as it was written", () => {
    expect(parse({ variant: { mode: "graph", repeats: 3 } })).toEqual(
      stepRow({ variant: { mode: "graph", repeats: 3 } }),
    );
  });

  it.each([
    [{ medianMs: "fast" }, "rows.jsonl:7 medianMs"],
    [{ medianMs: 0 }, "rows.jsonl:7 medianMs"],
    [{ medianMs: undefined }, "rows.jsonl:7 medianMs"],
    [{ medianMs: 80 }, "minMs <= medianMs <= maxMs; got 90, 80, 120"],
    [{ bench: "stpe" }, "rows.jsonl:7 bench: expected one of step, classifier"],
    [{ dtype: "float32" }, "rows.jsonl:7 dtype"],
    [{ machine: {} }, "rows.jsonl:7 machine.name"],
    [{ date: "yesterday" }, "rows.jsonl:7 date"],
    [{ clipsPerSeconds: 20 }, 'got "clipsPerSeconds". Hint: did you mean "clipsPerSecond"?'],
    [{ median_ms: 20 }, 'got "median_ms". Hint: did you mean "medianMs"?'],
    [{ threads: undefined }, "rows.jsonl:7 threads: expected the number of CPU threads"],
    [{ device: "cuda" }, "rows.jsonl:7 threads: expected none on a GPU; got 2"],
    [{ error: "", medianMs: undefined }, "rows.jsonl:7 error"],
  ])("with %j is refused", (fields, message) => {
    expect(() => parse(fields)).toThrow(message);
  });

  it("may say what failed instead of how long it took", () => {
    const failed = { bench: "step", system: "pytorch", device: "cuda", error: "no GPU", date: "2026-01-02T03:04:05Z" };
    expect(parseRow(JSON.stringify({ ...failed, model: "vit-base" }), "x")).toEqual({ ...failed, model: "vit-base" });
  });

  it("that is no JSON is named by file and line", () => {
    const file = join(temporaryFolder(), "rows.jsonl");
    writeFileSync(file, `${JSON.stringify(stepRow())}\n\n{"bench":\n`);
    expect(() => readRows(file)).toThrow(`${file}:3: expected one JSON object`);
    expect(() => readRows(`${file}.gone`)).toThrow("expected a file of rows");
  });
});

describe("identity", () => {
  it("is the work, whoever did it, how, where and when", () => {
    const others = { system: "pytorch", variant: { mode: "eager" }, date: "2027-01-02T03:04:05Z", round: 2 };
    expect(identity(stepRow(others))).toBe(identity(stepRow()));
    expect(identity(stepRow({ machine: { name: "B" } }))).toBe(identity(stepRow()));
  });

  it.each([{ dtype: "tf32" }, { threads: 1 }, { clips: 3 }, { decoderMaskRatio: 0 }, { model: "vit-base" }])(
    "differs with %j",
    (fields) => expect(identity(stepRow(fields))).not.toBe(identity(stepRow())),
  );

  it("of a machine counts its cores on a CPU and not on a GPU", () => {
    expect(machineOf(stepRow())).toBe("A processor, 2 cores");
    expect(machineOf(stepRow({ device: "cuda", machine: { name: "H100", cores: 16 } }))).toBe("H100");
  });
});
