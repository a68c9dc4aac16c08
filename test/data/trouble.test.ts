// What the loader makes of threads that hang or die.
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { haveShared, sharedFolder } from "../fixtures.js";
import { runNode } from "../run-node.js";
import { temporaryFolder } from "../temporary-folder.js";

const folder = temporaryFolder();
const hook = pathToFileURL(join(import.meta.dirname, "trouble.mjs")).href;

/** Six good videos, and an empty one whose name asks for trouble. */
function videos(trouble: string): string {
  const path = join(folder, trouble);
  mkdirSync(path, { recursive: true });
  for (let i = 0; i < 6; i++) {
    copyFileSync(join(sharedFolder, `data/videos/motion/pool/000${i}.mp4`), join(path, `${i}.mp4`));
  }
  writeFileSync(join(path, `${trouble}-a.mp4`), "");
  return path;
}

async function play(trouble: string, options: object, env: Record<string, string>) {
  const args = [videos(trouble), JSON.stringify(options)];
  const { status, stdout, stderr } = await runNode("data/play-troubled.mjs", { args, env, timeout: 60_000 });
  expect([status, stderr]).toEqual([0, ""]);
  const { bad, sources, failure } = JSON.parse(stdout);
  return { bad, sources: sources.map((path: string) => basename(path)), failure };
}

describe.skipIf(!haveShared)("a worker", () => {
  const troubled = { NODE_OPTIONS: `--import ${hook}` };

  it.each([1, 3])("that hangs is replaced, its file named once and left out (%i workers)", async (workers) => {
    const hung = await play("hang", { epochs: 3, workers, decodeTimeout: 1 }, troubled);
    expect(hung.failure).toBeUndefined();
    expect(hung.bad).toEqual([
      expect.stringMatching(/hang-a\.mp4: expected a file that decodes within 1 s; .*timed out/),
    ]);
    // The same stand in for it as for a file that cannot be opened.
    const empty = await play("hang", { epochs: 3, workers }, {});
    expect(empty.bad).toEqual([expect.stringMatching(/hang-a\.mp4: .*an empty file/)]);
    expect(hung.sources).toEqual(empty.sources);
    expect(hung.sources).toHaveLength(3 * 6);
  });

  it("that is stuck in a system call is left behind", async () => {
    const pipe = join(folder, "pipe");
    execFileSync("mkfifo", [pipe]);
    const stuck = await play("stuck", { epochs: 3, decodeTimeout: 1 }, { ...troubled, VIDEOMAE_TEST_PIPE: pipe });
    expect(stuck.failure).toBeUndefined();
    expect(stuck.bad).toEqual([expect.stringMatching(/stuck-a\.mp4: .* within 1 s; .*timed out/)]);
    expect(stuck.sources).toHaveLength(3 * 6);
  });

  it("that exits ends the loader with an error that names the file", async () => {
    const { failure } = await play("exit", { epochs: 3 }, troubled);
    expect(failure).toMatch(
      /VideomaeError loader: .*a thread that ended while it read .*exit-a\.mp4 \(exit status 7\)/,
    );
  });

  it("that runs out of memory ends the loader with an error that names the file", async () => {
    const env = { NODE_OPTIONS: `--max-old-space-size=150 --import ${hook}` };
    const { failure } = await play("hoard", { epochs: 3, decodeTimeout: 0 }, env);
    expect(failure).toMatch(/VideomaeError loader: .*ended while it read .*hoard-a\.mp4 \(.*memory/);
  });
});
