// The loader's opponent in Python: it does to frames what ours does, to the bit, and its rows are about the same work.
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { expect, it } from "vitest";
import { measureLoader } from "#lib/bench/loader.js";
import { identity, isTimed, parseRow } from "#lib/bench/row.js";
import { augmentFrames, stepAt } from "#lib/data/rand-augment.js";
import { scope } from "#lib/tensor/scope.js";
import { Tensor } from "#lib/tensor/tensor.js";
import { makeClips } from "../../examples/make-clips.js";
import { temporaryFolder } from "../temporary-folder.js";

const python = process.env.VIDEOMAE_PYTHON ?? "python3";
const peers = path.resolve(import.meta.dirname, "../../bench/peers");
const imports = (modules: string) => {
  try {
    execFileSync(python, ["-c", `import ${modules}`], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
};
const havePillow = imports("torch, PIL");
const haveDecoder = havePillow && (imports("av") || imports("cv2"));
if (!haveDecoder) console.log(`skipped: ${python} lacks PyTorch, Pillow, or a decoder (av, opencv-python-headless)`);

const kinds = [
  ...["autoContrast", "equalize", "invert", "rotate", "posterize", "solarize", "solarizeAdd", "color", "contrast"],
  ...["brightness", "sharpness", "shearX", "shearY", "translateX", "translateY"],
] as const;

it.runIf(havePillow)("every operation gives the pixels of ours", () => {
  const shape = [2, 37, 53, 3];
  const noise = Uint8Array.from({ length: 2 * 37 * 53 * 3 }, (_, i) => (Math.imul(i, 2654435761) >>> 25) + (i % 64));
  const steps = kinds.map((kind) => stepAt(kind as Parameters<typeof stepAt>[0], 7, true, true)!);
  const file = path.join(temporaryFolder(), "noise");
  writeFileSync(file, noise);
  const script = `
import json, sys
import numpy as np
import augment
frames = np.fromfile(${JSON.stringify(file)}, np.uint8).reshape(${JSON.stringify(shape)})
for step in json.loads(sys.stdin.read()):
    sys.stdout.buffer.write(augment.augment_frames(frames, [(step["kind"], step["amount"])]).tobytes())
`;
  const env = { ...process.env, PYTHONPATH: peers, PYTHONDONTWRITEBYTECODE: "1" };
  const out = execFileSync(python, ["-c", script], { env, input: JSON.stringify(steps), maxBuffer: 1 << 24 });
  for (const [i, step] of steps.entries()) {
    const ours = scope(() => augmentFrames(Tensor.fromArray(noise, shape), [step]).readSync() as Uint8Array);
    const theirs = out.subarray(i * noise.length, (i + 1) * noise.length);
    expect(Buffer.compare(Buffer.from(ours), theirs), step.kind).toBe(0);
  }
});

it.runIf(haveDecoder)("its rows are about the work of ours", async () => {
  const folder = temporaryFolder();
  await makeClips(folder, { count: 2, frames: 70 });
  const options = ["--device", "cpu", "--threads", "1", "--quick", "--data", folder, "--source", "two", "--size", "32"];
  const out = execFileSync(python, [path.join(peers, "loader.py"), ...options], { encoding: "utf8" });
  const rows = out
    .trim()
    .split("\n")
    .map((line) => parseRow(line, "loader.py"));
  expect(rows.filter((row) => "error" in row)).toEqual([]);
  const work = {
    clipsOf: "finetune",
    data: folder,
    source: "two",
    clips: 2,
    workers: 1,
    size: 32,
    tiny: true,
  } as const;
  const ours = await measureLoader(work, { seconds: 0, least: 1, most: 1 });
  for (const row of rows.filter(isTimed)) expect(identity(row)).toBe(identity(ours));
});
