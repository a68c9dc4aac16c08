// The commands as a user runs them.
import { execFile, spawn } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import sharp from "sharp";
import { beforeAll, describe, expect, it } from "vitest";
import { latestCheckpoint } from "#lib/io/checkpoint-folder.js";
import { readJsonl } from "#lib/log/jsonl.js";
import { makeClips } from "../../examples/make-clips.js";
import { temporaryFolder } from "../temporary-folder.js";

const main = path.resolve(import.meta.dirname, "../../dist/cli/main.js");
const folder = temporaryFolder();
const clips = path.join(folder, "clips");
const run = promisify(execFile);
const videomae = (...args: string[]) => run(process.execPath, [main, ...args]);
const failing = async (...args: string[]) => {
  const error = await videomae(...args).then(
    () => undefined,
    (e: { code: number; stderr: string }) => e,
  );
  expect(error?.code).toBe(1);
  return error!.stderr;
};

const small = ["--model", "vit-tiny", "--stride", "2", "--batch-size", "2", "--mask-ratio", "0.75"];

beforeAll(async () => {
  await makeClips(clips, { count: 6, frames: 20 });
});

describe("inspect model", () => {
  // Forward multiply-adds of a clip in G, and parameters: spec sections 10.2 and 1.2.
  it.each([
    ["S", 24_029_376, [0.92, 3.63, 0.01, 3.04, 0.23, 7.84], 11.54],
    ["B", 94_210_944, [1.85, 14.06, 0.05, 9.42, 0.46, 25.84], 35.44],
    ["L", 317_782_016, [2.47, 49.58, 0.08, 15.53, 0.62, 68.27], 83.03],
    ["H", 645_659_392, [3.08, 102.76, 0.1, 15.53, 0.62, 122.09], 136.86],
    ["g", 1_026_306_560, [3.39, 214.8, 0.15, 22.66, 0.62, 241.61], 263.96],
  ])("%s agrees with the published figures", async (size, parameters, dual, single) => {
    const report = JSON.parse((await videomae("inspect", "model", size, "--json")).stdout);
    expect(report.parameters).toBe(parameters);
    const { patchEmbed, encoder, bridge, decoder, head, total } = report.dualMasking.multiplyAdds;
    const giga = [patchEmbed, encoder, bridge, decoder, head, total].map((n) => Number((n / 1e9).toFixed(2)));
    for (const [i, value] of giga.entries()) expect(Math.abs(value - dual[i])).toBeLessThanOrEqual(0.0101);
    expect(Math.abs(report.encoderOnlyMasking.multiplyAdds.total / 1e9 - single)).toBeLessThanOrEqual(0.0101);
  });

  it("names the nearest size", async () => {
    expect(await failing("inspect", "model", "hugee")).toMatch(/did you mean "huge"/);
  });
});

describe("pretrain, evaluate, reconstruct", () => {
  const out = path.join(folder, "run");

  it("takes several sources as a mixture, and says what was read of each", async () => {
    const one = path.join(folder, "one.csv");
    writeFileSync(one, "clips/clip-000.mp4 0 -1\nclips/absent.mp4 0 -1\nclips/clip-001.mp4 0 -1\n");
    const to = path.join(folder, "mixed");
    const { stderr } = await videomae("pretrain", clips, one, ...small, "--steps", "4", "--out", to);
    expect(stderr).toContain(`${clips}: 6 videos, 66.7 %\n${one}: 3 videos, 33.3 %\n`);
    expect(stderr).toMatch(/skipped .*absent\.mp4: /);
    expect(stderr).toMatch(/bad files 1/);
    expect(stderr).toMatch(/clips: [56] videos read, 0 of them in place of one of 0 bad files\n/);
    expect(stderr).toMatch(/one\.csv: [23] videos read, 1 of them in place of one of 1 bad files\n/);
    expect(readJsonl(path.join(to, "quarantine.jsonl"))).toMatchObject([
      { path: path.join(clips, "absent.mp4"), part: one },
    ]);
  });

  it("trains, logs and plots", async () => {
    const { stderr } = await videomae("pretrain", clips, ...small, "--steps", "4", "--log-every", "1", "--out", out);
    expect(stderr).toMatch(/6 clips, 8 x 32 x 32, 4 updates/);
    expect(stderr).toMatch(/step 4\/4 \| loss \d/);
    expect(latestCheckpoint(out)?.step).toBe(4);
    expect(readJsonl(path.join(out, "log.jsonl")).map(({ step }) => step)).toEqual([undefined, 1, 2, 3, 4]);
    expect((await sharp(path.join(out, "loss.png")).metadata()).width).toBeGreaterThan(400);
  });

  it("goes on where it stopped", async () => {
    const { stderr } = await videomae("pretrain", clips, ...small, "--steps", "6", "--log-every", "1", "--out", out);
    expect(stderr).toMatch(/resumed after update 4/);
    expect(stderr).toMatch(/6 of 6 updates/);
  });

  it("stops at SIGINT with a checkpoint", async () => {
    const slow = path.join(folder, "slow");
    const args = ["pretrain", clips, ...small, "--steps", "100000", "--out", slow];
    const child = spawn(process.execPath, [main, ...args], { stdio: ["ignore", "ignore", "pipe"] });
    let [stderr, signalled] = ["", false];
    child.stderr.on("data", (data) => {
      stderr += data;
      if (!signalled && stderr.includes("step ")) {
        signalled = true;
        child.kill("SIGINT");
      }
    });
    const code = await new Promise((resolve) => child.on("exit", resolve));
    expect(stderr).toMatch(/stopping after this update/);
    expect(code).toBe(130);
    expect(latestCheckpoint(slow)!.step).toBeGreaterThan(0);
  });

  it("says how good the model is", async () => {
    const { stdout } = await videomae("evaluate", clips, "--weights", out, "--limit", "2", "--json");
    const report = JSON.parse(stdout);
    expect(report.clips).toBe(2);
    expect(report.quartiles.length).toBe(4);
    expect(report.overall.ratio).toBeCloseTo(report.overall.loss / report.overall.zeroLoss, 10);
  });

  it("makes an animation and a sheet", async () => {
    const animation = path.join(folder, "r.webp");
    await videomae("reconstruct", path.join(clips, "clip-003.mp4"), "--weights", out, "--out", animation);
    const { pages, format } = await sharp(animation, { pages: -1 }).metadata();
    expect([format, pages]).toEqual(["webp", 8]);
    expect((await sharp(path.join(folder, "r.png")).metadata()).format).toBe("png");
  });

  it("says what is wrong, in one line, with status 1", async () => {
    expect(await failing("pretrain", path.join(folder, "none"))).toMatch(/^videomae: .*none/);
    expect(await failing("pretrain", clips, "--mask-ratoi", "0.5")).toMatch(/mask-ratio/);
    expect(await failing("pretrain", clips, ...small, "--mask", "tub")).toMatch(/did you mean "tube"/);
    expect(await failing("reconstruct", "x.mp4", "--weights", clips)).toMatch(/checkpoint/);
    expect(await failing("reconstruct", path.join(folder, "x.mp4"), "--weights", out)).toMatch(/x\.mp4/);
    expect(existsSync(path.join(folder, "reconstruction.webp"))).toBe(false);
  });
});
