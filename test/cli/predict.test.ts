// `predict` and `features` as a user runs them.
import { execFile } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { beforeAll, describe, expect, it } from "vitest";
import { openSafetensors, writeSafetensors } from "#lib/io/safetensors.js";
import { classifierModel } from "#lib/models/classifier.js";
import { makeClips } from "../../examples/make-clips.js";
import { temporaryFolder } from "../temporary-folder.js";

const main = path.resolve(import.meta.dirname, "../../dist/cli/main.js");
const folder = temporaryFolder();
const clips = path.join(folder, "clips");
const weights = path.join(folder, "hub");
const run = promisify(execFile);

interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

const videomae = (...args: string[]): Promise<Outcome> =>
  run(process.execPath, [main, ...args]).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    ({ code, stdout, stderr }) => ({ code, stdout, stderr }),
  );

const clip = (i: number) => path.join(clips, `clip-00${i}.mp4`);
const names = ["bounce", "roll", "slide"];

beforeAll(async () => {
  await makeClips(clips, { count: 3, frames: 20 });
  using model = classifierModel("vit-tiny", { classes: 3, headInitScale: 30, seed: 2 });
  mkdirSync(weights);
  writeSafetensors(
    path.join(weights, "model.safetensors"),
    model.namedParameters().map(([name, { shape, value }]) => ({
      ...{ name: `model.${name}`, dtype: "F32" as const, shape },
      data: (value.readSync() as Float32Array).map((x) => (name.endsWith("_bias") ? 0.01 : x)),
    })),
  );
  const model_config = {
    ...{ img_size: 32, patch_size: 8, embed_dim: 48, depth: 2, num_heads: 3, mlp_ratio: 4, num_frames: 8 },
    ...{ num_classes: 3 },
  };
  const id2label = Object.fromEntries(names.map((name, i) => [i, name]));
  writeFileSync(
    path.join(weights, "config.json"),
    JSON.stringify({ model_type: "VideoMAEv2_Tiny", model_config, id2label }),
  );
});

describe("predict", () => {
  it("shows the likeliest classes of every clip by name", async () => {
    const { code, stdout, stderr } = await videomae("predict", clips, "--weights", weights, "--top", "2");
    expect([code, stderr]).toEqual([0, ""]);
    const lines = stdout.trim().split("\n");
    expect(lines).toHaveLength(9);
    expect(lines[0]).toBe(clip(0));
    expect(lines[1]).toMatch(/^ {2}0\.\d{4} {2}(bounce|roll|slide)$/);
  });

  it("prints JSON, with other names and several views", async () => {
    const labels = path.join(folder, "labels.txt");
    writeFileSync(labels, "a\nb\nc\n");
    const flags = ["--weights", weights, "--labels", labels, "--views", "2x3", "--json"];
    const [one, views] = await Promise.all([
      videomae("predict", clip(0), ...flags.slice(0, 4), "--json"),
      videomae("predict", clip(0), ...flags),
    ]);
    for (const { code, stdout } of [one, views]) {
      expect(code).toBe(0);
      const [{ clip: named, top }] = JSON.parse(stdout);
      expect(named).toBe(clip(0));
      expect(top.map((t: { label: string }) => t.label).sort()).toEqual(["a", "b", "c"]);
      expect(top.reduce((sum: number, t: { probability: number }) => sum + t.probability, 0)).toBeCloseTo(1, 10);
      for (const { index, label } of top) expect(label).toBe("abc"[index]);
    }
    expect(one.stdout).not.toBe(views.stdout);
  });

  it("names a clip that fails, does the others, and ends with status 1", async () => {
    const broken = path.join(folder, "broken.mp4");
    writeFileSync(broken, "no video");
    const { code, stdout, stderr } = await videomae("predict", broken, clip(1), "--weights", weights, "--json");
    expect(code).toBe(1);
    expect(stderr).toContain(`${broken}: `);
    const answers = JSON.parse(stdout);
    expect(answers[0]).toMatchObject({ clip: broken });
    expect(answers[0].error).toBeTruthy();
    expect(answers[1].top).toHaveLength(3);
  });

  it("says what is wrong with its arguments in one line", async () => {
    const short = path.join(folder, "short.txt");
    writeFileSync(short, "only one");
    for (const [args, message] of [
      [[clip(0), "--weights", path.join(folder, "nowhere")], /no such file/],
      [[clip(0), "--weights", weights, "--labels", short], /the names of 3 classes, one a line; got 1 lines/],
      [[clip(0), "--weights", weights, "--views", "5"], /clips x crops/],
      [[path.join(folder, "nowhere.mp4"), "--weights", weights], /nothing there/],
      [[clip(0), "--weights", weights, "--frames", "4", "--heads", "5"], /width.*multiple of heads/],
    ] as const) {
      const { code, stderr } = await videomae("predict", ...args);
      expect(code).toBe(1);
      expect(stderr).toMatch(message);
      expect(stderr.trim().split("\n").length).toBeLessThanOrEqual(1);
    }
  });
});

/** Shape and elements of a .npy file. */
function readNpy(file: string): { shape: number[]; data: Float32Array } {
  const bytes = readFileSync(file);
  const start = 10 + bytes.readUInt16LE(8);
  const shape = /'shape': \(([^)]*)\)/.exec(bytes.subarray(10, start).toString())![1];
  return {
    shape: shape.split(",").map(Number),
    data: new Float32Array(new Uint8Array(bytes.subarray(start)).buffer),
  };
}

describe("features", () => {
  it("of one clip go into a .npy file", async () => {
    const out = path.join(folder, "one.npy");
    const { code } = await videomae("features", clip(0), "--weights", weights, "--out", out);
    expect(code).toBe(0);
    const { shape, data } = readNpy(out);
    expect(shape).toEqual([1, 48]);
    expect(data.every(Number.isFinite)).toBe(true);
  });

  it("of several go into one .safetensors file, by path", async () => {
    const out = path.join(folder, "all.safetensors");
    const { code } = await videomae("features", clips, "--weights", weights, "--out", out, "--window", "3");
    expect(code).toBe(0);
    using file = openSafetensors(out);
    expect([...file.names].sort()).toEqual([0, 1, 2].map(clip));
    expect(file.entry(clip(0)).shape).toEqual([5, 48]);
    expect(JSON.parse(file.metadata.get("starts")!)[clip(0)]).toEqual([0, 3, 6, 9, 12]);
  });

  it("for temporal detection fill a folder, and a second run does only what is missing", async () => {
    const out = path.join(folder, "tad");
    const flags = ["--weights", weights, "--out", out, "--tad"];
    expect((await videomae("features", clip(0), clip(1), ...flags)).code).toBe(0);
    expect(readdirSync(out).sort()).toEqual(["clip-000.npy", "clip-001.npy"]);
    expect(readNpy(path.join(out, "clip-000.npy")).shape).toEqual([4, 48]);
    const written = statSync(path.join(out, "clip-000.npy")).mtimeMs;
    const again = await videomae("features", clips, ...flags);
    expect(again.stderr.match(/done already/g)).toHaveLength(2);
    expect(statSync(path.join(out, "clip-000.npy")).mtimeMs).toBe(written);
    expect(readdirSync(out)).toHaveLength(3);
    const normalised = path.join(folder, "normalised.npy");
    await videomae(
      "features",
      clip(0),
      "--weights",
      weights,
      "--out",
      normalised,
      "--tad",
      "--mode",
      "stretch-normalized",
    );
    expect(readNpy(normalised).shape).toEqual([4, 48]);
    expect(readNpy(normalised).data).not.toEqual(readNpy(path.join(out, "clip-000.npy")).data);
  });

  it("come from a pre-training run too", async () => {
    const pretrained = path.join(folder, "run");
    const small = ["--model", "vit-tiny", "--stride", "2", "--batch-size", "2", "--mask-ratio", "0.75", "--steps", "1"];
    expect((await videomae("pretrain", clips, ...small, "--out", pretrained)).code).toBe(0);
    const out = path.join(folder, "run.npy");
    expect((await videomae("features", clip(0), "--weights", pretrained, "--out", out)).code).toBe(0);
    expect(readNpy(out).shape).toEqual([1, 48]);
    const { code, stderr } = await videomae("predict", clip(0), "--weights", pretrained);
    expect(code).toBe(1);
    expect(stderr).toMatch(/expected a model with a head/);
  });

  it("refuse an --out that cannot hold them", async () => {
    const two = await videomae("features", clips, "--weights", weights, "--out", path.join(folder, "x.npy"));
    expect(two.code).toBe(1);
    expect(two.stderr).toMatch(/a \.safetensors file or a folder for several clips/);
    const copies = path.join(folder, "copies");
    mkdirSync(copies);
    writeFileSync(path.join(copies, "clip-000.mp4"), readFileSync(clip(0)));
    const same = await videomae("features", clip(0), copies, "--weights", weights, "--out", path.join(folder, "y"));
    expect(same.stderr).toMatch(/two that would both be .*clip-000\.npy/);
  });
});
