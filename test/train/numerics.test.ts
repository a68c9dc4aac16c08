// What a run's numbers depend on: the library of matrix products is among it.
import { describe, expect, it } from "vitest";
import { parsePretrainConfig } from "#lib/config/pretrain-config.js";
import type { Kernels } from "#lib/tensor/kernels.js";
import { nativeOp } from "#lib/tensor/native-op.js";
import { scope } from "#lib/tensor/scope.js";
import { Tensor } from "#lib/tensor/tensor.js";
import { numericsOf, withKernelsFor, withKernelsUsed } from "#lib/train/numerics.js";
import { differences } from "#lib/train/run-state.js";
import { hasEmulator } from "../devices.js";

describe("the numerics of a run", () => {
  const config = parsePretrainConfig({ data: "clips" });

  it("have no library of matrix products on the CPU", async () => {
    expect(await numericsOf(config)).toMatchObject({ device: "cpu", dtype: "f32", matrixLibrary: "none" });
  });

  it.skipIf(!hasEmulator)("ask a device's plug-in for it", async () => {
    expect(await numericsOf({ ...config, device: "emu" })).toMatchObject({ device: "emu", matrixLibrary: "none" });
  });

  it("differ where another library is found", async () => {
    const here = await numericsOf(config);
    const schedule = { base: 1, final: 0, steps: 10 };
    const run = {
      config,
      schedules: { learningRate: schedule, weightDecay: schedule },
      data: { videos: 1, list: "a" },
    };
    const elsewhere = { ...run, numerics: { ...here, matrixLibrary: "cuBLASLt 13.1.1" } };
    expect(differences(elsewhere, { ...run, numerics: here }, [])).toEqual([
      'resumed with matrixLibrary "none" where the run had "cuBLASLt 13.1.1": its numbers will differ',
    ]);
    expect(differences(elsewhere, elsewhere, [])).toEqual([]);
  });

  it("differ where other kernels are chosen for what the run did", async () => {
    const here = await numericsOf(config);
    const schedule = { base: 1, final: 0, steps: 10 };
    const run = (kernels?: Kernels) => ({
      ...{ config, schedules: { learningRate: schedule, weightDecay: schedule }, data: { videos: 1, list: "a" } },
      numerics: { ...here, kernels },
    });
    const before = run({ a: "default", b: "wgmma", c: "default", d: "default", e: "default" });
    const now = run({ a: "default", b: "default", c: "x", d: "y", e: "z" });
    expect(differences(before, now, [])).toEqual([
      "resumed with other kernels (b: default where the run had wgmma; c: x where the run had default; d: y where the run had default; 1 more): its numbers will differ",
    ]);
    for (const same of [before, run({}), run(undefined)]) expect(differences(before, same, [])).toEqual([]);
    expect(differences(run(undefined), before, [])).toEqual([]);
  });

  it.skipIf(!hasEmulator)("have the kernels that a device has used, and would use", async () => {
    const onEmu = await numericsOf({ ...config, device: "emu", dtype: "bf16" });
    scope(() => {
      const x = Tensor.zeros([7, 40], "bf16", "emu");
      nativeOp("linear", { x, weight: Tensor.zeros([9, 40], "bf16", "emu") }, ["preactivation"]);
    });
    const used = withKernelsUsed(onEmu);
    expect(used.kernels).toMatchObject({ "gemm nt 7 9 40": expect.stringMatching(/ \(default\)$/) });
    expect(withKernelsFor(onEmu, used)).toEqual(used);
    const other = { ...used, kernels: { "gemm nt 7 9 40": "mma-large" } };
    expect(withKernelsFor(onEmu, other).kernels).toEqual({ "gemm nt 7 9 40": "the default" });
    const onCpu = await numericsOf(config);
    expect(withKernelsUsed(onCpu)).toEqual(onCpu);
    expect(withKernelsFor(onCpu, used)).toEqual(onCpu);
  });
});
