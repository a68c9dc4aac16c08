// The held-out measure and the panels of a reconstruction.
import { describe, expect, it } from "vitest";
import { evaluateHeldOut } from "#lib/eval/held-out.js";
import { reconstructionPanels } from "#lib/eval/reconstruct.js";
import { dualMask } from "#lib/masking/dual-mask.js";
import { type PretrainModel, pretrainModel } from "#lib/models/pretrain.js";
import { tokenGrid } from "#lib/models/sizes.js";
import { RandomStream } from "#lib/random.js";
import { memory } from "#lib/tensor/memory.js";
import { hasEmulator } from "../devices.js";

const stream = new RandomStream(1, "clips");
const clip = () => Uint8Array.from({ length: 8 * 32 * 32 * 3 }, () => stream.integer(256));
const clips = [clip(), clip()];

function untrained(decoder: "running-cell" | "none", normalizeTarget = true) {
  const model = pretrainModel("vit-tiny", { normalizeTarget }).train(false);
  return { model, masks: masksOf(model, decoder) };
}

function masksOf({ config }: PretrainModel, decoder: "running-cell" | "none" = "running-cell") {
  const spec = decoder === "none" ? ({ kind: "none" } as const) : ({ kind: decoder, ratio: 0.5 } as const);
  return dualMask({ encoder: { kind: "tube", ratio: 0.75 }, decoder: spec, grid: tokenGrid(config) });
}

describe("evaluateHeldOut", () => {
  it("gives 1 to a model that predicts zero, and counts hidden reconstructed tokens", () => {
    const { model, masks } = untrained("running-cell");
    using _model = model;
    const { head } = model.decoder;
    head.weight.value.write(new Float32Array(head.weight.value.size));
    const { overall, quartiles } = evaluateHeldOut(model, masks, clips);
    expect(overall.ratio).toBe(1);
    expect(overall.tokens).toBe(2 * masks.counts.lossTokens!);
    expect(quartiles.reduce((sum, q) => sum + q.tokens, 0)).toBe(overall.tokens);
    // A normalised target has n - 1 of n in its mean square: 127 / 128 for 2 x 8 x 8 pixels.
    expect(overall.zeroLoss).toBeCloseTo(127 / 128, 4);
  });

  it.skipIf(!hasEmulator)("measures on a device what it measures on the CPU", () => {
    const ratios = (["cpu", "emu"] as const).map((device) => {
      using model = pretrainModel("vit-tiny", { device, seed: 3 }).train(false);
      return evaluateHeldOut(model, masksOf(model), clips);
    });
    expect(ratios[1].overall.tokens).toBe(ratios[0].overall.tokens);
    for (const [i, quartile] of ratios[0].quartiles.entries()) {
      expect(ratios[1].quartiles[i].ratio).toBeCloseTo(quartile.ratio, 4);
    }
  });

  it("frees what it makes", () => {
    const { model, masks } = untrained("none");
    const before = memory().tensors;
    evaluateHeldOut(model, masks, clips);
    expect(memory().tensors).toBe(before);
    model.dispose();
  });
});

describe("reconstructionPanels", () => {
  it("keeps visible patches, fills every hidden one, and leaves the original alone", () => {
    const { model, masks } = untrained("running-cell");
    using _model = model;
    const panels = reconstructionPanels(model, masks, clips[0]);
    expect(panels.map(({ label }) => label)).toEqual([
      "original",
      "masked input",
      "true statistics",
      "visible statistics",
    ]);
    expect(panels[0].frames).toEqual(clips[0]);
    const { visible } = masks.indices({ keys: [{ epoch: 0, place: 0, view: 0 }] });
    const sees = new Set(visible);
    for (const { frames } of panels.slice(1)) {
      for (let n = 0; n < 64; n++) {
        const [t, y, x] = [n >> 4, (n >> 2) & 3, n & 3];
        let same = 0;
        for (let i = 0; i < 2 * 64; i++) {
          const at = (((2 * t + (i >> 6)) * 32 + 8 * y + ((i >> 3) & 7)) * 32 + 8 * x + (i & 7)) * 3;
          if ([0, 1, 2].every((c) => frames[at + c] === clips[0][at + c])) same++;
        }
        if (sees.has(n)) expect(same).toBe(128);
        else expect(same).toBeLessThan(64);
      }
    }
  });

  it("has one reconstruction for a model of raw pixels", () => {
    const { model, masks } = untrained("none", false);
    using _model = model;
    expect(reconstructionPanels(model, masks, clips[1]).length).toBe(3);
  });
});
