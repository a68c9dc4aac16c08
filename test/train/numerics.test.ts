// What a run's numbers depend on: the library of matrix products is among it.
import { describe, expect, it } from "vitest";
import { parsePretrainConfig } from "#lib/config/pretrain-config.js";
import { numericsOf } from "#lib/train/numerics.js";
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
});
