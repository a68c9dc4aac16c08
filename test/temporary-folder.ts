// A folder for one test file, removed after its tests.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";

/** Makes a temporary folder and returns its path. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "videomae-test-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
