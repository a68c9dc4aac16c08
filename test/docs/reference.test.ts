// The reference of the public API can be written: every export says what it is, links lead somewhere, types that exports name
// are exported too. Warnings are errors (typedoc.json); types are checked elsewhere, and no page is written here.
import { execFileSync } from "node:child_process";
import path from "node:path";
import { expect, it } from "vitest";
import { checkout } from "../../bench/checkout.js";

it("has no warnings", () => {
  const typedoc = path.join(checkout, "node_modules/typedoc/bin/typedoc");
  const args = [typedoc, "--emit", "none", "--skipErrorChecking", "--logLevel", "Warn"];
  expect(execFileSync(process.execPath, args, { cwd: checkout, encoding: "utf8" })).toBe("");
}, 300_000);
