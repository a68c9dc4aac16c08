import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { drawText, textWidth } from "#lib/eval/lettering.js";
import { type Panel, renderReconstruction, writeSheet } from "#lib/eval/picture.js";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), "videomae-picture-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** (T, S, S, 3) Frame t is all of one grey level, t * 20 + first. */
function levels(label: string, T: number, S: number, first: number): Panel {
  const frames = new Uint8Array(T * S * S * 3);
  for (let t = 0; t < T; t++) frames.fill(first + t * 20, t * S * S * 3, (t + 1) * S * S * 3);
  return { label, frames };
}

describe("renderReconstruction", () => {
  it("writes a looping WebP of T pages, panels at least 192 wide, and leaves no temporary file", async () => {
    const file = path.join(folder, "clip.webp");
    const panels = [levels("original", 4, 64, 0), levels("masked", 4, 64, 60), levels("reconstruction", 4, 64, 120)];
    const written = await renderReconstruction(file, { panels, side: 64, fps: 5 });
    expect(readdirSync(folder)).toEqual(["clip.webp"]);
    const facts = await sharp(file, { animated: true }).metadata();
    expect(facts).toMatchObject({ format: "webp", pages: 4, loop: 0, delay: [200, 200, 200, 200] });
    expect(facts.pageHeight).toBe(written.height);
    expect(written.width).toBe(3 * 192 + 2 * 10 + 2 * 8);

    const pixels = await sharp(file, { animated: true }).removeAlpha().raw().toBuffer();
    for (let t = 0; t < 4; t++) {
      for (const [i, first] of [0, 60, 120].entries()) {
        const x = 10 + i * 200 + 96;
        const y = t * written.height + written.height - 10 - 96;
        expect(Math.abs(pixels[(y * written.width + x) * 3] - (first + t * 20))).toBeLessThanOrEqual(6);
      }
    }
  });

  it("rejects panels of different shapes, and an impossible rate", async () => {
    const file = path.join(folder, "never.webp");
    const panels = [levels("a", 4, 8, 0), levels("b", 3, 8, 0)];
    await expect(renderReconstruction(file, { panels, side: 8 })).rejects.toThrow('"b" of 576 bytes');
    await expect(renderReconstruction(file, { panels: [], side: 8 })).rejects.toThrow("at least one panel");
    const panel = panels.slice(0, 1);
    await expect(renderReconstruction(file, { panels: panel, side: 8, fps: 0 })).rejects.toThrow("fps in (0, 60]");
    await expect(renderReconstruction(file, { panels: panel, side: 8, scale: 4000 })).rejects.toThrow("lower scale");
  });
});

describe("writeSheet", () => {
  it("has a row per panel and every second frame of a long clip", async () => {
    const file = path.join(folder, "sheet.png");
    const written = await writeSheet(file, { panels: [levels("a", 10, 8, 0), levels("b", 10, 8, 40)], side: 8 });
    expect(written.frames).toBe(5);
    const { data, info } = await sharp(file).raw().toBuffer({ resolveWithObject: true });
    expect([info.width, info.height]).toEqual([written.width, written.height]);
    const left = 10 + textWidth("a", 2) + 10;
    for (let column = 0; column < 5; column++) {
      for (const [row, first] of [0, 40].entries()) {
        const at = ((10 + row * 100 + 50) * info.width + left + column * 100 + 50) * info.channels;
        expect(data[at]).toBe(first + column * 40);
      }
    }
  });
});

describe("drawText", () => {
  it("draws the dots of a glyph, and nothing outside the canvas", () => {
    const canvas = { pixels: new Uint8Array(11 * 7 * 3), width: 11, height: 7 };
    drawText(canvas, "tl", { left: 0, top: 0, zoom: 1, colour: [255, 255, 255] });
    const row = (y: number) =>
      Array.from({ length: 11 }, (_, x) => (canvas.pixels[(y * 11 + x) * 3] ? "#" : " ")).join("");
    expect(row(0)).toBe("##### #    ");
    expect(row(6)).toBe("  #   #####");
    drawText(canvas, "wide text", { left: -8, top: 3, zoom: 2, colour: [1, 1, 1] });
  });
});
