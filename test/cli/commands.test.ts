// The commands as a user runs them.
import { execFile, spawn } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import sharp from "sharp";
import { beforeAll, describe, expect, it } from "vitest";
import { parsePretrainConfig } from "#lib/config/pretrain-config.js";
import { formatRecipe, loadRecipe, recipe } from "#lib/config/recipes.js";
import { latestCheckpoint } from "#lib/io/checkpoint-folder.js";
import { readJsonl } from "#lib/log/jsonl.js";
import { devices } from "#lib/tensor/devices.js";
import { makeClips } from "../../examples/make-clips.js";
import { hasEmulator } from "../devices.js";
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

describe("inspect model", () => {
  it("forecasts memory", async () => {
    const { stdout } = await videomae("inspect", "model", "S", "--batch-size", "2");
    expect(stdout).toMatch(/memory of pre-training, dual masking, 2 videos x 1 views, accumulate 1, 2 workers/);
    expect(stdout).toMatch(/parameters +96\.1 MB +96\.1 MB/);
    expect(await failing("inspect", "model", "S", "--batch-size", "0")).toMatch(
      /inspect model batchSize: .*>=1; got 0/,
    );
  });
});

describe("inspect data", () => {
  it("tells of every line, in words and in JSON", async () => {
    const list = path.join(folder, "list.csv");
    writeFileSync(list, "clips/clip-000.mp4 0 -1\nclips/none.mp4 0 -1\n");
    const words = await videomae("inspect", "data", list).catch((error) => error);
    expect([words.code, words.stderr]).toEqual([1, ""]);
    expect(words.stdout).toMatch(/^bad {6}\S+list\.csv:2 clips\/none\.mp4: expected a video file; got no such file/m);
    expect(words.stdout).toMatch(/^lines +2: 1 good, 1 bad \(50\.0 %\), 0 duplicates$/m);
    const json = await videomae("inspect", "data", list, "--json").catch((error) => error);
    expect(JSON.parse(json.stdout)).toMatchObject({
      ...{ schema: "videomae.inspect-data/1", total: 2, interrupted: false, summary: { good: 1, bad: 1 } },
      lines: [{ good: true, frames: 20, width: 64 }, { good: false }],
    });
  });

  it("knows the forms of lines with two numbers", async () => {
    const list = path.join(folder, "list.csv");
    const wrong = ["inspect", "data", list, "--pictures", "label-total"];
    expect(await failing(...wrong)).toMatch(/label-total.*start-total, total-label/);
  });

  it("writes a clean list", async () => {
    const clean = path.join(folder, "clean.csv");
    const { stderr } = await videomae("inspect", "data", path.join(folder, "list.csv"), "--fix", clean);
    expect(stderr).toMatch(/dropped \S+list\.csv:2: expected a video file/);
    expect(readFileSync(clean, "utf8")).toBe("clips/clip-000.mp4 0 -1\n");
  });
});

describe("doctor", () => {
  it("finds what this machine has", async () => {
    const { stdout } = await videomae("doctor", "--data", clips, "--json");
    const report = JSON.parse(stdout);
    expect(report).toMatchObject({ schema: "videomae.doctor/1", ok: true });
    for (const finding of report.findings) {
      expect(finding).toMatchObject({
        check: expect.any(String),
        found: expect.any(String),
        details: expect.any(Object),
      });
    }
    expect((await videomae("doctor")).stdout).toMatch(/^ok +native binary +\S+\.node/m);
  });

  it("fails where something is missing, and goes on to the end", async () => {
    const env = { ...process.env, VIDEOMAE_ISA: "mmx" };
    const error = await run(process.execPath, [main, "doctor"], { env }).catch((e) => e);
    expect(error.code).toBe(1);
    expect(error.stdout).toMatch(/^PROBLEM kernels/m);
    expect(error.stdout).toMatch(/fix: +unset VIDEOMAE_ISA/);
    expect(error.stdout).toMatch(/gpus/);
  });
});

describe("recipes", () => {
  it("are listed, and printed to begin with", async () => {
    expect((await videomae("recipes")).stdout).toMatch(/^vit-g-hybrid-1200e +ViT-g on UnlabeledHybrid/m);
    const file = path.join(folder, "g.yaml");
    writeFileSync(file, (await videomae("recipes", "vit-g-hybrid-1200e")).stdout);
    expect(loadRecipe(file)).toEqual(recipe("vit-g-hybrid-1200e").options);
    expect(JSON.parse((await videomae("recipes", "--schema")).stdout).properties.lr.description).toMatch(/256 videos/);
    expect(await failing("recipes", "vit-g")).toMatch(/did you mean "vit-g-hybrid-1200e"/);
  });

  it("come before the defaults and after the command line", async () => {
    const file = path.join(folder, "mine.yaml");
    const out = path.join(folder, "from-recipe");
    writeFileSync(
      file,
      `data: ${clips}\nout: ${out}\nmodel: vit-tiny\nbatchSize: 2\nepochs: 9\nrecompute: true\nnormalizeTarget: false\nstride: 2\n`,
    );
    const { stderr } = await videomae("pretrain", "--recipe", file, "--steps", "2", "--no-recompute", "--lr", "0.5");
    const stored = parsePretrainConfig(loadRecipe(path.join(out, "recipe.yaml")));
    expect(stored).toEqual(
      parsePretrainConfig({
        ...{ data: clips, out, model: "vit-tiny", batchSize: 2, stride: 2, normalizeTarget: false },
        ...{ steps: 2, lr: 0.5, recompute: false },
      }),
    );
    expect(stderr).toContain(formatRecipe(stored)); // printed in full
    expect(stderr).toMatch(/an update: 2 videos \(2 x 1\), 2 clips; peak learning rate 0\.00390625/);
    expect(stderr).toMatch(/memory: about \d+ MB, of which [\d.]+ MB for tensors/);

    const again = await videomae("pretrain", "--recipe", path.join(out, "recipe.yaml"), "--steps", "3", "--keep", "5");
    expect(again.stderr).toMatch(/options changed since \S+recipe\.yaml was written: keep 3 -> 5$/m);
    expect(again.stderr).toMatch(/3 of 3 updates/);
  });

  it("with mistakes are refused by line", async () => {
    const file = path.join(folder, "wrong.yaml");
    writeFileSync(file, "lr: 1\nmaskRatoi: 0.9\n");
    expect(await failing("pretrain", clips, "--recipe", file)).toMatch(/wrong\.yaml:2:1: .*did you mean "maskRatio"/);
  });
});

describe("mistakes on the command line", () => {
  it.each([
    [["pretian"], /unknown command 'pretian'.*Did you mean pretrain/],
    [["pretrain", "x", "--batch_size", "3"], /it is called --batch-size here/],
    [["pretrain", "x", "--dist_url", "env://"], /there is no such option: a run is one process/],
    [["pretrain", "x", "--batch-sise", "3"], /Did you mean --batch-size/],
    [["pretrain", "x", "--decoder-mask", "run_cell"], /it is called "running-cell" here/],
    [["pretrain", "x", "--lr", "fast"], /--lr <value>' argument 'fast' is invalid/],
    [["pretrain"], /pretrain data: expected/],
    [["inspect", "dta", "x"], /Did you mean data/],
    [["inspect", "data"], /missing required argument 'data'/],
  ])("%o", async (args, message) => {
    const stderr = await failing(...args);
    expect(stderr).toMatch(message);
    expect(stderr.trim().split("\n").length).toBe(1);
  });

  it("help loads neither the native binary nor the libraries of other commands", async () => {
    const { stdout } = await run(process.execPath, [
      ...["--input-type=module", "--eval"],
      `process.argv.splice(1, 9, "node", "videomae", "--help");
       const write = process.stdout.write; process.stdout.write = () => true;
       await import(${JSON.stringify(main)}); process.stdout.write = write;
       const loaded = process.report.getReport().sharedObjects.filter((file) => file.endsWith(".node"));
       console.log(JSON.stringify(loaded));`,
    ]);
    expect(JSON.parse(stdout)).toEqual([]);
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
    const log = readJsonl(path.join(out, "log.jsonl")).map(({ event, step }) => event ?? step);
    expect(log).toEqual(["note", "machine", 1, 2, 3, 4]);
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

  it.skipIf(!hasEmulator)(
    "computes on a device, and says what is missing where there is none",
    async () => {
      const ratios = await Promise.all(
        [["cpu"], ["emu"], ["emu", "--dtype", "bf16"]].map(async (device) => {
          const args = ["evaluate", clips, "--weights", out, "--limit", "1", "--json", "--device", ...device];
          return JSON.parse((await videomae(...args)).stdout).overall.ratio;
        }),
      );
      expect(Math.abs(ratios[1] - ratios[0])).toBeLessThanOrEqual(1e-4);
      expect(Math.abs(ratios[2] - ratios[0])).toBeLessThanOrEqual(2e-2);
      const clip = path.join(clips, "clip-003.mp4");
      const sheets = await Promise.all(
        ["cpu", "emu"].map(async (device) => {
          const animation = path.join(folder, `${device}.webp`);
          await videomae("reconstruct", clip, "--weights", out, "--device", device, "--out", animation);
          return sharp(path.join(folder, `${device}.png`))
            .raw()
            .toBuffer();
        }),
      );
      // The bytes of a picture: a prediction that lies between two may be rounded the other way.
      const most = sheets[0].reduce((sum, byte, i) => Math.max(sum, Math.abs(byte - sheets[1][i])), 0);
      expect(sheets[1].length).toBe(sheets[0].length);
      expect(most).toBeLessThanOrEqual(1);
      if (devices().noGpu !== undefined) {
        expect(await failing("evaluate", clips, "--weights", out, "--device", "cuda")).toMatch(/^videomae: cuda/);
      }
      expect(await failing("reconstruct", clip, "--weights", out, "--device", "gpu")).toMatch(/cpu, cuda, cuda:1/);
    },
    300_000,
  );

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
