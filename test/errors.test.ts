import { expect, test } from "vitest";
import { nearest, rejectUnknownOptions, VideomaeError } from "#lib/errors.js";

test("a message says what failed, what was expected, what came and what to do", () => {
  const cause = new Error("inner");
  const error = new VideomaeError({ op: "read x", expected: "8 bytes", got: "3", hint: "write it again", cause });
  expect(error.message).toBe("read x: expected 8 bytes; got 3. Hint: write it again");
  expect(error).toBeInstanceOf(Error);
  expect([error.name, error.op, error.expected, error.got, error.hint, error.cause]).toEqual([
    "VideomaeError",
    "read x",
    "8 bytes",
    "3",
    "write it again",
    cause,
  ]);
});

test("parts that are absent leave no trace", () => {
  expect(new VideomaeError({ op: "x", expected: "a" }).message).toBe("x: expected a");
  expect(new VideomaeError({ op: "x", got: "b" }).message).toBe("x: got b");
  expect(new VideomaeError({ op: "x", hint: "c" }).message).toBe("x: Hint: c");
  expect("cause" in new VideomaeError({ op: "x" })).toBe(false);
});

test("the nearest candidate, or none when all are far", () => {
  const names = ["ratio", "kind", "warmupSteps"];
  expect(nearest("raito", names)).toBe("ratio");
  expect(nearest("WARMUPSTEP", names)).toBe("warmupSteps");
  expect(nearest("temperature", names)).toBeUndefined();
  expect(nearest("x", [])).toBeUndefined();
});

test("an unknown option is refused by name", () => {
  expect(() => rejectUnknownOptions("op", { ratio: 1 }, ["ratio", "kind"])).not.toThrow();
  expect(() => rejectUnknownOptions("op", { raito: 1 }, ["ratio", "kind"])).toThrow(
    'op: expected options out of ratio, kind; got "raito". Hint: did you mean "ratio"?',
  );
  expect(() => rejectUnknownOptions("op", { zzzzzzzz: 1 }, ["ratio"])).toThrow(/remove it/);
});
