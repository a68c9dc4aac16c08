import { readFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { expect, test } from "vitest";
import { roundTicks, tickLabels } from "#lib/log/axis.js";
import { localFit } from "#lib/log/loss-curve.js";
import { lossPlotSvg, writeLossPlot } from "#lib/log/loss-plot.js";
import { temporaryFolder } from "../temporary-folder.js";

const folder = temporaryFolder();
const points = (count: number) =>
  Array.from({ length: count }, (_, step) => ({ step, loss: 0.5 + Math.exp(-step / 100), learningRate: 1e-3 }));

test("ticks are round and inside the axis", () => {
  expect(roundTicks(0, 100, 5)).toEqual([0, 20, 40, 60, 80, 100]);
  expect(roundTicks(0.43, 1.27, 6)).toEqual([0.6, 0.8, 1, 1.2]);
  expect(roundTicks(-1, 1, 4)).toEqual([-1, -0.5, 0, 0.5, 1]);
  expect(roundTicks(0, 9e-4, 2)).toEqual([0, 5e-4]);
});

test("labels of one axis have equally many decimals", () => {
  expect(tickLabels([0.6, 0.8, 1])).toEqual(["0.6", "0.8", "1.0"]);
  expect(tickLabels([0, 5e-4])).toEqual(["0", "5e-4"]);
  expect(tickLabels([0, 5000, 10000, 12500])).toEqual(["0", "5.0k", "10.0k", "12.5k"]);
  expect(tickLabels([1e6, 2e6])).toEqual(["1M", "2M"]);
  expect(tickLabels([0, 500, 1000])).toEqual(["0", "500", "1000"]);
});

test("the fit follows a straight line exactly and averages noise", () => {
  const line = Array.from({ length: 50 }, (_, i) => 3 - 0.1 * i);
  localFit(line, 5).forEach((value, i) => {
    expect(value).toBeCloseTo(line[i], 12);
  });
  const noise = Array.from({ length: 101 }, (_, i) => (i % 2 === 0 ? 1 : -1));
  expect(Math.abs(localFit(noise, 10)[50])).toBeLessThan(0.1);
  expect(localFit([4], 3)).toEqual([4]);
});

test("an SVG has title, labels and no number that is not finite", () => {
  const svg = lossPlotSvg(points(500), { title: "a < b & c" });
  expect(svg).toContain("a &lt; b &amp; c");
  expect(svg).toContain("learning rate");
  expect(svg).not.toMatch(/NaN|Infinity|undefined/);
});

test("spikes, gaps and single points stay legible", () => {
  const spiky = points(500).map((point) => (point.step === 250 ? { ...point, loss: 1e9 } : point));
  expect(lossPlotSvg(spiky)).not.toMatch(/NaN|Infinity/);
  expect(lossPlotSvg(spiky)).toMatch(/>1\.4</);
  expect(lossPlotSvg(spiky)).toContain("lowest smoothed 0.5");
  const gap = points(20).map((point) => (point.step === 3 ? { ...point, loss: Number.NaN } : point));
  expect(lossPlotSvg(gap)).toContain("#c0392b");
  expect(lossPlotSvg(points(1))).toContain("<circle");
  expect(lossPlotSvg([{ step: 5, loss: 2 }])).not.toMatch(/NaN|Infinity/);
  expect(lossPlotSvg([1, 2, 3].map((step) => ({ step, loss: 2, learningRate: 0 })))).not.toMatch(/NaN|Infinity/);
  expect(() => lossPlotSvg([{ step: 0, loss: Number.NaN }])).toThrow(/finite loss/);
});

test("a long run makes a small picture", () => {
  expect(lossPlotSvg(points(200_000)).length).toBeLessThan(150_000);
});

test("SVG and PNG files", async () => {
  await writeLossPlot(join(folder, "loss.svg"), points(50));
  expect(readFileSync(join(folder, "loss.svg"), "utf8")).toMatch(/^<svg .*<\/svg>\n$/s);
  await writeLossPlot(join(folder, "loss.png"), points(50));
  expect(await sharp(join(folder, "loss.png")).metadata()).toMatchObject({ format: "png", width: 1920 });
  await expect(writeLossPlot(join(folder, "loss.gif"), points(5))).rejects.toThrow(/\.svg or \.png/);
  await expect(writeLossPlot(join(folder, "none", "loss.svg"), points(5))).rejects.toThrow(/folder exists/);
});
