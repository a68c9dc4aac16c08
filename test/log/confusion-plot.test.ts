// The confusion matrix as a picture: a cell for every count, names beside it while they can be read.
import sharp from "sharp";
import { expect, it } from "vitest";
import { confusionPlotPng, confusionPlotSvg } from "#lib/log/confusion-plot.js";

const cells = (svg: string) =>
  [...svg.matchAll(/fill="(#\w+)" fill-opacity="([\d.]+)"/g)].map(([, fill, opacity]) => [fill, opacity]);

it("shades what was taken for what by its part of the row", () => {
  const svg = confusionPlotSvg(
    [
      [3, 1],
      [0, 2],
    ],
    ["a < b", "c & d"],
  );
  expect(cells(svg)).toEqual([
    ["#1b5fa8", "0.750"],
    ["#c0392b", "0.250"],
    ["#1b5fa8", "1.000"],
  ]);
  expect(svg).toContain(">a &lt; b</text>");
  expect(svg).toContain(">c &amp; d</text>");
});

it("leaves names out where there are too many, and is a PNG", async () => {
  const count = 61;
  const rows = Array.from({ length: count }, (_, i) => Array.from({ length: count }, (_, j) => (i === j ? 1 : 0)));
  const names = rows.map((_, i) => `class ${i}`);
  expect(confusionPlotSvg(rows, names)).not.toContain("class 7");
  const { format, width } = await sharp(await confusionPlotPng(rows, names)).metadata();
  expect([format, width]).toEqual(["png", 768]);
});
