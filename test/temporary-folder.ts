// A folder for one test, or for a test file, removed afterwards.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, onTestFinished } from "vitest";
import { getCurrentTest } from "vitest/suite";

/** Makes a temporary folder and returns its path. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "videomae-test-"));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  if (getCurrentTest() === undefined) afterAll(remove);
  else onTestFinished(remove);
  return folder;
}
