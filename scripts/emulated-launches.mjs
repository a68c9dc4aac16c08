// With how many threads a block, and how much dynamic shared memory, kernels are launched: seen on the emulator, in
// native tests and benchmarks whose sizes are those of models where a launch depends on them.
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { builtProgram } from "./build-native.mjs";
import { largestSharedBytes } from "./occupancy.mjs";

const run = promisify(execFile);

/** Attention of few tokens, as in the encoders of sizes B, H and g, and of many: B's decoder, and more than a block holds. */
const FEW_TOKENS = ["bf16:1x1x160x64", "bf16:1x1x160x80", "bf16:1x1x208x88"];
const MANY_TOKENS = ["bf16:1x1x944x64", "bf16:1x1x400x80", "bf16:1x1x400x88", "bf16:1x1x400x128"];
/** Of which forward attention by wgmma takes 128 or 176 keys at a time, where it mostly takes 160 of those above. */
const TOKENS_BY_WGMMA = [128, 176].flatMap((tokens) => [64, 80, 88].map((width) => `bf16:1x1x${tokens}x${width}`));

/** Programs with the kernels that they choose, and the capabilities of whose kernels they launch some. */
const RUNS = [
  { program: "conformance_test", argv: ["--device", "emu"], targets: ["80", "90a"] },
  { program: "cuda_gemm_test", argv: [], targets: ["80", "90a"] },
  { program: "staged_kernels_test", argv: [], targets: ["80", "90a"] },
  attention("", [...FEW_TOKENS, ...MANY_TOKENS], ["80", "90a"]),
  attention("attention_forward=head,attention_backward=head-pipelined", FEW_TOKENS, ["80", "90a"]),
  { program: "cuda_gemm_wgmma_test", argv: [], targets: ["90a"] },
  attention("attention_forward=wgmma,attention_backward=wgmma", [...FEW_TOKENS, ...MANY_TOKENS], ["90a"]),
  attention("attention_forward=wgmma", TOKENS_BY_WGMMA, ["90a"]),
  attention("attention_forward=wgmma3", MANY_TOKENS, ["90a"]),
];

function attention(variants, shapes, targets) {
  return { program: "attention_device_bench", argv: ["--device", "emu", ...shapes], variants, targets };
}

/**
 * The largest launch of each kernel in lines that the emulator recorded (VIDEOMAE_EMU_LAUNCHES): most dynamic shared
 * memory, then most threads.
 */
export function largestLaunches(lines) {
  const largest = new Map();
  for (const line of lines.trim().split("\n")) {
    const { kernel, ...launch } = JSON.parse(line);
    const known = largest.get(kernel);
    if (!known || isLarger(launch, known)) largest.set(kernel, launch);
  }
  return largest;
}

const isLarger = (a, b) => (a.sharedBytes === b.sharedBytes ? a.threads > b.threads : a.sharedBytes > b.sharedBytes);

/**
 * Runs the programs on an emulated GPU of a capability's shared memory.
 * @param work  the folder in which CMake built them
 * @returns the largest launch of each kernel, by name
 */
export async function emulatedLaunches(work, target) {
  const folder = mkdtempSync(path.join(os.tmpdir(), "launches-"));
  try {
    const file = path.join(folder, "launches.jsonl");
    for (const { program, argv, variants = "" } of RUNS.filter(({ targets }) => targets.includes(target))) {
      const env = {
        ...process.env,
        VIDEOMAE_CUDA_VARIANTS: variants,
        VIDEOMAE_EMU_LAUNCHES: file,
        VIDEOMAE_EMU_SHARED_MEMORY: String(largestSharedBytes(target)),
      };
      await run(builtProgram(work, program), argv, { env, maxBuffer: 2 ** 28 });
    }
    return largestLaunches(readFileSync(file, "utf8"));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
