// `videomae build-native`: compiles the sources that the package brings, where it is installed, for machines without a
// prebuilt binary. Nothing is downloaded; the result is found before the prebuilt one.
import { spawnSync } from "node:child_process";
import path from "node:path";
import { Command } from "commander";
import { findBinary } from "../addon/find-binary.js";
import { VideomaeError } from "../errors.js";
import { packageRoot } from "../manifest.js";

export function buildNativeCommand(): Command {
  return new Command("build-native")
    .option("--cpu", "without the plug-in for GPUs, which is built where nvcc is found")
    .addHelpText("after", "\nNeeds CMake 3.22 and GCC; nvcc of CUDA 13 for the plug-in. Takes minutes.")
    .action(buildNative);
}

function buildNative({ cpu = false }: { cpu?: boolean }): void {
  const script = path.join(packageRoot, "scripts", "build-native.mjs");
  const { status, signal } = spawnSync(process.execPath, [script, ...(cpu ? ["-DVIDEOMAE_CUDA=OFF"] : [])], {
    stdio: "inherit",
  });
  if (status !== 0) {
    throw new VideomaeError({
      op: "build-native",
      expected: "the sources to compile",
      got: signal ? `the signal ${signal}` : `exit status ${status}`,
      hint: "see the messages above; CMake 3.22 or newer and GCC 11 or newer are needed, and room in the package's folder",
    });
  }
  const built = path.join(packageRoot, "build", "Release");
  const { binary, failed } = findBinary();
  if (!binary?.file.startsWith(built)) {
    const why = failed.find(({ place }) => place.startsWith(path.join("build", "Release")));
    throw new VideomaeError({ op: "build-native", expected: "a binary that loads", got: why?.cause, hint: why?.fix });
  }
  console.log(`built ${binary.file}`);
}
