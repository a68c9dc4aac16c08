// Runs killed with SIGKILL and started again. `VIDEOMAE_KILLS` sets how many kills (6), `VIDEOMAE_SEED` which ones.
import path from "node:path";
import { expect, it } from "vitest";
import { makeClips } from "../../examples/make-clips.js";
import { runNode } from "../run-node.js";
import { temporaryFolder } from "../temporary-folder.js";

const kills = Number(process.env.VIDEOMAE_KILLS ?? 6);
const seed = process.env.VIDEOMAE_SEED ?? `${Date.now() % 2 ** 31}`;

it(`ends with the same bits and numbers however it was killed (${kills} kills, seed ${seed})`, async () => {
  const clips = path.join(temporaryFolder(), "clips");
  await makeClips(clips, { count: 8, frames: 20 });
  const timeout = 60_000 + kills * 10_000;
  const run = await runNode("train/kill-campaign.mjs", { args: [`${kills}`, seed, clips], timeout });
  expect([run.status, run.stderr]).toEqual([0, ""]);
  const report = JSON.parse(run.stdout);
  expect(report.differing).toEqual([]);
  expect(report.kills).toBeGreaterThanOrEqual(kills);
  expect(report.hits.saving).toBeGreaterThan(0);
}, 3_600_000);
