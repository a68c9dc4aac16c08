// The checker of the house rules must catch offences planted for it, and must let honest code pass.
import { describe, expect, it } from "vitest";
import { checkImports, checkIncludes, checkLength, checkName } from "../../scripts/check-arrows.mjs";

describe("imports", () => {
  it.each([
    ["lib/ops/gelu.ts", `import { Block } from "../nn/block.js";`, "ops must not import nn"],
    ["lib/tensor/tensor.ts", `export { gelu } from "../ops/gelu.js";`, "ops stands above tensor"],
    ["lib/io/checkpoint.ts", `import type { Loader } from "../data/loader.js";`, "same level"],
    ["lib/train/finetune.ts", `const m = await import("../cli/main.js");`, "cli stands above train"],
    ["lib/eval/held-out.ts", `import { train } from "../train/training-loop.js";`, "train stands above eval"],
    ["lib/report/page.ts", `import { x } from "../progressive/progressive.js";`, "progressive stands above report"],
    ["lib/progressive/stage-kinds.ts", `import { x } from "../watch/series.js";`, "watch stands above progressive"],
    ["lib/masking/tube.ts", `import { scope } from "#lib/optim/adamw.js";`, "masking must not import optim"],
    ["lib/models/classifier.ts", `import { x } from "videomae";`, "models must not import index.ts"],
    ["lib/config/schema.ts", `import { tokenCount } from "../masking/token-grid.js";`, "config is a leaf"],
    ["lib/random.ts", `import "./tensor/tensor.js";`, "random.ts is a leaf"],
    ["lib/nn/linear.ts", `import { x } from "../../scripts/x.mjs";`, "no place in the order"],
    ["lib/extras/x.ts", "export const x = 1;", "lib/extras has no place"],
  ])("%s: %s", (file, text, reason) => {
    const offences = checkImports(file, `// first line\n${text}\n`);
    expect(offences).toHaveLength(1);
    expect(offences[0].reason).toContain(reason);
    expect(offences[0].file).toBe(file);
  });

  it("names the line", () => {
    const text = `import { a } from "./a.js";\n\nimport {\n  b,\n} from "../cli/b.js";\n`;
    expect(checkImports("lib/ops/x.ts", text)).toMatchObject([{ file: "lib/ops/x.ts", line: 5 }]);
  });

  it.each([
    ["lib/cli/main.ts", `import { pretrain } from "../train/pretrain.js"; import { x } from "../index.js";`],
    ["lib/eval/picture.ts", `import { writeAtomically } from "../io/atomic-file.js"; import sharp from "sharp";`],
    ["lib/nn/block.ts", `import { layerNorm } from "../ops/layer-norm.js"; import { Linear } from "./linear.js";`],
    ["lib/config/schema.ts", `import { VideomaeError } from "../errors.js"; import fs from "node:fs";`],
    ["lib/masking/tube.ts", `// import { x } from "../cli/main.js"\nimport { RandomStream } from "../random.js";`],
    ["lib/index.ts", `export * from "./cli/main.js"; export * from "./addon/addon.js";`],
    ["lib/cli/version.ts", `import facts from "../../package.json" with { type: "json" };`],
  ])("%s may", (file, text) => {
    expect(checkImports(file, text)).toEqual([]);
  });
});

describe("includes", () => {
  const known = new Set([
    "native/core/tensor.h",
    "native/ops/op.h",
    "native/cpu/gemm.h",
    "native/addon/handle.h",
    "native/cuda/device/tma.cuh",
    "native/cuda/device/swizzle.h",
  ]);

  it.each([
    ["native/core/tensor.cpp", `#include "ops/op.h"`, "core must not include ops"],
    ["native/ops/execute.cpp", `#include "../cpu/gemm.h"`, "ops must not include cpu"],
    ["native/cuda/gemm.cu", `#include "cpu/gemm.h"`, "cuda must not include cpu"],
    ["native/addon/addon.cpp", `#  include "cpu/gemm.h"`, "addon must not include cpu"],
    ["native/test/op_test.cpp", `#include "addon/handle.h"`, "test must not include addon"],
    ["native/cpu/gemm.cpp", "#include <napi.h>", "belongs to native/addon only"],
    ["native/core/device.h", "#include <cuda_runtime.h>", "belongs to native/cuda only"],
    ["native/addon/addon.cpp", "#include <cublasLt.h>", "belongs to native/cuda only"],
    ["native/test/op_test.cpp", `#include "cuda/device/tma.cuh"`, "belongs to .cu and .cuh files only"],
    ["native/cuda/device/swizzle.h", "#include <cuda.h>", "belongs to .cu and .cuh files only"],
    ["native/extras/x.cpp", "", "native/extras has no place"],
  ])("%s: %s", (file, text, reason) => {
    const offences = checkIncludes(file, text, known);
    expect(offences).toHaveLength(1);
    expect(offences[0]).toMatchObject({ file, line: 1 });
    expect(offences[0].reason).toContain(reason);
  });

  it.each([
    ["native/cpu/gemm.cpp", `#include "gemm.h"\n#include "ops/op.h"\n#include "core/tensor.h"\n#include <cmath>`],
    ["native/addon/handle.cpp", `#include <napi.h>\n#include "handle.h"\n#include "ops/op.h"`],
    ["native/cuda/gemm.cu", `#include <cuda_bf16.h>\n#include <cooperative_groups/reduce.h>\n#include "ops/op.h"`],
    ["native/test/op_test.cpp", `#include "cuda/device/swizzle.h"`],
    ["native/core/tensor.cpp", `// #include <napi.h>\n#include "core/tensor.h"`],
  ])("%s may", (file, text) => {
    expect(checkIncludes(file, text, known)).toEqual([]);
  });
});

describe("names and lengths", () => {
  it.each([
    "lib/utils/x.ts",
    "lib/ops/helpers.ts",
    "native/core/common.h",
    "test/misc/a.test.ts",
    "bench/util.test.ts",
  ])("%s says nothing", (file) => expect(checkName(file)).toHaveLength(1));

  it("lets words that contain them pass", () => {
    expect(checkName("lib/dist/commonwealth.ts")).toEqual([]);
  });

  it("counts lines", () => {
    expect(checkLength("lib/ops/x.ts", "x\n".repeat(450))).toEqual([]);
    expect(checkLength("lib/ops/x.ts", "x\n".repeat(451))).toMatchObject([{ line: 451 }]);
  });
});
