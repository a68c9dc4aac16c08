import { expect, test } from "vitest";
import { z } from "zod";
import { firstMistake, pathText } from "#lib/config/explain-issue.js";

const part = z.strictObject({ path: z.string(), weight: z.number().positive().optional() });
const schema = z.strictObject({
  data: z.union([z.string(), z.array(z.union([z.string(), part])).min(1)]).describe("where clips are"),
  kind: z.enum(["tube", "frame"]).optional(),
});

test.each([
  [{ data: 3 }, "data", "string or array", "3", "where clips are"],
  [{ data: [{ path: "x", weight: -1 }] }, "data[0].weight", "number to be >0", "-1", "where clips are"],
  [{ data: ["a", { path: "x", wieght: 1 }] }, "data[1].wieght", "a known option", '"wieght"', 'did you mean "weight"?'],
  [{ data: ["a", { weight: 1 }] }, "data[1].path", "string", "nothing", "where clips are"],
  [{ data: "x", kind: "tbue" }, "kind", "one of tube, frame", '"tbue"', 'did you mean "tube"?'],
  [{ data: "x", knid: "tube" }, "knid", "a known option", '"knid"', 'did you mean "kind"?'],
  [null, "", "object", "null", undefined],
])("%j", (value, path, expected, got, hint) => {
  const mistake = firstMistake(schema, value)!;
  expect([pathText(mistake.path), mistake.expected, mistake.got, mistake.hint]).toEqual([path, expected, got, hint]);
});

test("values that JSON cannot hold are told all the same", () => {
  const circle: Record<string, unknown> = {};
  circle.self = circle;
  for (const data of [circle, 10n, () => 1, Symbol("s"), "x".repeat(1)]) firstMistake(schema, { data });
  expect(firstMistake(schema, { data: 10n })!.got).toBe("10");
  expect(firstMistake(schema, { data: [{ path: ["x".repeat(9999)] }] })!.got.length).toBeLessThan(200);
  expect(firstMistake(schema, { data: "x" })).toBeUndefined();
});

test("advice of the caller's comes first", () => {
  const advice = { key: (name: string) => `no ${name}`, word: (key: string, word: string) => `${key} ${word}?` };
  expect(firstMistake(schema, { data: "x", knid: 1 }, advice)!.hint).toBe("no knid");
  expect(firstMistake(schema, { data: "x", kind: "tbue" }, advice)!.hint).toBe("kind tbue?");
});
