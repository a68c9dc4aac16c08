// Example clips are the data of other tests and of the demo: the same seed gives the same bytes.
import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, it } from "vitest";
import { makeClips } from "../../examples/make-clips.js";
import { temporaryFolder } from "../temporary-folder.js";

it("makes the same clips every time", async () => {
  const folder = temporaryFolder();
  const [first, second] = [
    await makeClips(path.join(folder, "first"), { count: 36 }),
    await makeClips(path.join(folder, "second"), { count: 36 }),
  ];
  for (const [i, { path: file }] of first.entries()) {
    expect(readFileSync(file).equals(readFileSync(second[i].path)), path.basename(file)).toBe(true);
  }
});
