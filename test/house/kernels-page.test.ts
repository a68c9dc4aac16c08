// What bench/KERNELS.md is made of, and that it has the kernels of the sources: after a kernel has come, gone or changed,
// npm run bench:gpu-kernels writes the page anew.
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { largestLaunches } from "../../scripts/emulated-launches.mjs";
import { instructionMixes } from "../../scripts/instruction-mix.mjs";
import { kernelsPage, launchBounds, shortName } from "../../scripts/kernels-page.mjs";
import { occupancy } from "../../scripts/occupancy.mjs";

describe("occupancy", () => {
  const KiB = 1024;
  it.each([
    ["80", 32, 1024, 0, 2, 64, ["registers", "threads"]],
    ["80", 63, 256, 0, 4, 32, ["registers"]],
    ["80", 65, 256, 0, 3, 24, ["registers"]], // 2304 registers a warp: 7 warps a scheduler, 28 in all
    ["80", 16, 32, 0, 32, 32, ["blocks"]],
    ["80", 255, 256, 0, 1, 8, ["registers"]],
    ["80", 96, 128, 32 * KiB, 4, 16, ["shared memory"]], // 164 KiB hold four of 33
    ["90a", 96, 128, 32 * KiB, 5, 20, ["registers"]],
    ["90a", 168, 384, 0, 1, 12, ["registers"]],
    ["90a", 32, 256, 227 * KiB, 1, 8, ["shared memory"]],
    ["90a", 32, 256, 228 * KiB, 0, 0, ["shared memory"]],
  ])("on %s: %i registers, %i threads, %i bytes", (target, registers, threads, sharedBytes, blocks, warps, limits) => {
    expect(occupancy(target, { registers, threads, sharedBytes })).toEqual({ blocks, warps, limits });
  });
});

describe("instruction mix", () => {
  const line = (at: string, text: string) => `        /*${at}*/   ${text} ;   /* 0x00000a00ff017624 */\n`;
  const code = (kernel: string, ...lines: string[]) =>
    `\t\tFunction : ${kernel}\n\t.headerflags\t@"EF_CUDA_SM80"\n${lines.map((text, i) => line(`00${i}0`, text)).join("")}`;

  it("counts instructions by class, predicated or not, and no NOP", () => {
    const mixes = instructionMixes(
      code(
        "a",
        "@!P2 LDG.E R6, [R4.64]",
        "@P0 FFMA R1, R2, R3, R4",
        "@!UP1 UIADD3 UR4, UR5",
        "FADD.FTZ R1, R1, R2",
        "NOP",
      ) + code("b", "HMMA.16816.F32.BF16 R4, R8, R12, R4", "EXIT"),
    );
    expect(mixes.get("a")).toMatchObject({ global: 1, FP32: 2, integer: 1, tensor: 0, control: 0 });
    expect(mixes.get("b")).toMatchObject({ tensor: 1, control: 1, FP32: 0 });
  });

  it("refuses an instruction that it does not know", () => {
    expect(() => instructionMixes(code("a", "TELEPORT R1"))).toThrow("a: TELEPORT has no class");
  });
});

it("launch bounds are read for the kernels that have them", () => {
  const attribute = "\t<0x18>\n\tAttribute:\tEIATTR_MAX_THREADS\n\tFormat:\tEIFMT_SVAL\n\tValue:\t0x80 0x2 0x1 \n";
  const elf = `.nv.info\n\tAttribute:\tEIATTR_REGCOUNT\n\n.nv.info._Z1av\n${attribute}\n.nv.info._Z1bv\n\tAttribute:\tEIATTR_REGCOUNT\n`;
  expect([...launchBounds(elf)]).toEqual([["_Z1av", 256]]);
});

it.each([
  ["void videomae::cuda::(anonymous namespace)::fill<float>(float*, float, long)", "fill<float>"],
  ["videomae::cuda::(anonymous namespace)::make_taps(videomae::cuda::Taps)", "make_taps"],
  [
    "void videomae::cuda::gemm<videomae::cuda::Tile<8>, (videomae::cuda::Major)1>(videomae::cuda::Arguments)",
    "gemm<Tile<8>, (Major)1>",
  ],
])("%s is short for its name", (demangled, name) => {
  expect(shortName(demangled)).toBe(name);
});

it("the largest launch of a kernel has the most shared memory, then the most threads", () => {
  const launch = (kernel: string, threads: number, sharedBytes: number) =>
    JSON.stringify({ kernel, threads, sharedBytes });
  const lines = [
    launch("a", 64, 512),
    launch("b", 32, 0),
    launch("a", 128, 256),
    launch("b", 96, 0),
    launch("b", 64, 0),
  ];
  expect(Object.fromEntries(largestLaunches(`${lines.join("\n")}\n`))).toEqual({
    a: { threads: 64, sharedBytes: 512 },
    b: { threads: 96, sharedBytes: 0 },
  });
});

it("the committed page has the kernels of the sources", () => {
  const native = path.join(import.meta.dirname, "..", "..", "native", "cuda");
  const sources = [native, path.join(native, "hopper")].flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => /\.cuh?$/.test(name))
      .map((name) => readFileSync(path.join(folder, name), "utf8")),
  );
  const bounds = String.raw`__launch_bounds__\((?:[^()]|\([^()]*\))*\)\s*`;
  const declared = new RegExp(String.raw`__global__\s+void\s+(?:${bounds})?(\w+)\(`, "g");
  const kernels = sources.flatMap((text) => [...text.matchAll(declared)].map(([, name]) => name));
  expect(kernels).toHaveLength(sources.join("").match(/__global__/g)!.length);
  const shown = [...readFileSync(kernelsPage, "utf8").matchAll(/^\| `(\w+)/gm)].map(([, name]) => name);
  const names = (all: readonly (string | undefined)[]) => [...new Set(all)].sort();
  expect(names(shown), "run npm run bench:gpu-kernels").toEqual(names(kernels));
});
