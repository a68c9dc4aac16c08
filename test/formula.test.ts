import { describe, expect, test } from "vitest";
import {
  formulaBits,
  formulaDecoderMask,
  formulaEncoderMask,
  formulaKey,
  formulaMix,
  formulaParameter,
  formulaUnit,
  formulaVideo,
  formulaVideoBytes,
  haveShared,
  loadFixture,
} from "./fixtures.js";

describe.skipIf(!haveShared)("the formula of the fixtures", () => {
  const { json } = haveShared ? loadFixture("formula") : { json: {} };
  const seed: number = json.seed;

  test("hashes", () => {
    for (const [x, mixed] of json.mix) expect(formulaMix(x)).toBe(mixed);
    for (const [name, key] of Object.entries(json.key)) expect(formulaKey(seed, name)).toBe(key);
    for (const [name, bits] of Object.entries(json.bits_first_8)) expect([...formulaBits(seed, name, 8)]).toEqual(bits);
    for (const [name, units] of Object.entries(json.unit_first_8)) {
      expect([...formulaUnit(seed, name, 8)]).toEqual(units);
    }
    for (const [name, bits] of Object.entries(json.bits_at_1000003)) {
      expect(formulaBits(seed, name, 1000004)[1000003]).toBe(bits);
    }
  });

  test("parameters", () => {
    const shapes: Record<string, number[]> = {
      "encoder.blocks.0.attn.qkv.weight": [192, 64],
      "encoder.blocks.0.norm1.weight": [64],
      "encoder.blocks.0.norm1.bias": [64],
      "encoder.patch_embed.proj.weight": [64, 3, 2, 16, 16],
      "encoder.blocks.0.gamma_1": [64],
      "encoder.blocks.0.attn.scale": [4, 1, 1],
      mask_token: [1, 1, 64],
    };
    for (const [name, values] of Object.entries(json.parameter_first_4)) {
      expect([...formulaParameter(seed, name, shapes[name]).subarray(0, 4)], name).toEqual(values);
    }
  });

  test("tube mask", () => {
    const mask = formulaEncoderMask(seed, 1, { t: 2, h: 4, w: 4 }, 0.75);
    expect([...mask]).toEqual(json["tube_mask_2x4x4_0.75"]);
  });

  test("first bytes and values of a video", () => {
    const shape = [1, 3, 8, 32, 32];
    expect([...formulaVideoBytes(seed, shape).subarray(0, 8)]).toEqual(json.video_first_8_u8);
    expect([...formulaVideo(seed, shape).subarray(0, 8)]).toEqual(json.video_first_8);
  });

  test.each(["pretrain_p16_dual", "pretrain_layer_scale", "pretrain_cos_attn"])("inputs of %s", (name) => {
    const { json: fixture, tensors } = loadFixture(name);
    const { seed, batch, img, frames, patch, mask_ratio, decoder_mask_ratio } = fixture.config;
    const grid = { t: frames / 2, h: img / patch, w: img / patch };
    expect(formulaVideo(seed, [batch, 3, frames, img, img])).toEqual(tensors.get("input.video")?.data);
    expect(formulaEncoderMask(seed, batch, grid, mask_ratio)).toEqual(tensors.get("input.encoder_mask")?.data);
    expect(formulaDecoderMask(seed, batch, grid, decoder_mask_ratio)).toEqual(tensors.get("input.decoder_mask")?.data);
    for (const [key, { shape, data }] of tensors) {
      if (key.startsWith("param.")) expect(formulaParameter(seed, key.slice(6), shape), key).toEqual(data);
    }
  });
});
