#!/usr/bin/env node
// Packs the package, installs the tarball into an empty project, and takes one training step there.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

const root = path.resolve(import.meta.dirname, "..");
const folder = mkdtempSync(path.join(tmpdir(), "videomae-package-"));
const run = (command, args, cwd) => execFileSync(command, args, { cwd, stdio: ["ignore", "inherit", "inherit"] });

const step = `
import { AdamW, backward, dualMask, memory, parameterGroups, pretrainModel, Tensor, tokenGrid } from "videomae";
const model = pretrainModel("vit-tiny");
const optimizer = new AdamW(parameterGroups(model), { lr: 1e-3 });
const masks = dualMask({
  encoder: { kind: "tube", ratio: 0.75 },
  decoder: { kind: "running-cell", ratio: 0.5 },
  grid: tokenGrid(model.config),
});
const video = Tensor.fromArray(Uint8Array.from({ length: 8 * 32 * 32 * 3 }, (_, i) => i % 251), [1, 8, 32, 32, 3]);
const losses = [];
for (let i = 0; i < 5; i++) {
  const loss = model.loss(video, masks.sample({ keys: [{ epoch: 0, place: 0, view: 0 }] }));
  losses.push(await loss.item());
  backward(loss);
  optimizer.step();
}
if (!(losses[4] < losses[0])) throw new Error("the loss did not fall: " + losses);
console.log("installed package: losses", losses.map((loss) => loss.toFixed(4)).join(" "));
`;

try {
  run("npm", ["pack", "--ignore-scripts", "--silent", "--pack-destination", folder], root);
  const tarball = readdirSync(folder).find((name) => name.endsWith(".tgz"));
  writeFileSync(path.join(folder, "package.json"), JSON.stringify({ name: "empty", private: true, type: "module" }));
  writeFileSync(path.join(folder, "step.mjs"), step);
  run("npm", ["install", "--no-audit", "--no-fund", "--silent", `./${tarball}`], folder);
  run(process.execPath, ["step.mjs"], folder);
  run(path.join(folder, "node_modules", ".bin", "videomae"), ["inspect", "model", "small"], folder);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
