// CommonJS and ES modules get one and the same package, and the plug-in for GPUs is beside the binary when it has come.
const required = require("videomae");
const { existsSync } = require("node:fs");
const path = require("node:path");

async function main() {
  const imported = await import("videomae");
  if (required.Tensor !== imported.Tensor) throw new Error("require and import give two packages");
  const { version } = require("videomae/package.json");

  const findings = await required.examineMachine();
  const { found, details } = findings.find(({ check }) => check === "native binary");
  if (!/^prebuilds.*, prebuilt$/.test(found)) throw new Error(`the binary is ${found}`);
  const { noGpu } = required.devices();
  const plugin = existsSync(path.join(path.dirname(details.file), "libvideomae_cuda.so"));
  if (plugin && noGpu?.message.includes("plug-in")) throw new Error(`the plug-in was not found: ${noGpu.message}`);
  console.log(`videomae ${version} by require and import, ${found}; ${noGpu ? noGpu.got : "a GPU is there"}`);
}

main();
