// The confusion matrix as a picture: a cell for every count, names beside it while they can be read.
import sharp from "sharp";
import { expect, it } from "vitest";
import { confusionPlotSvg, drawConfusion } from "#lib/log/confusion-plot.js";

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
  expect(svg).toContain("<title>a &lt; b taken for c &amp; d: 1 of 4</title>");
  expect(svg.match(/text-anchor="middle"/g)).toHaveLength(3);
});

it("leaves names and numbers out where there are too many, and is a PNG", async () => {
  const count = 61;
  const rows = Array.from({ length: count }, (_, i) => Array.from({ length: count }, (_, j) => (i === j ? 1 : 0)));
  const names = rows.map((_, i) => `class ${i}`);
  expect(confusionPlotSvg(rows, names)).not.toMatch(/<text/);
  const { bytes, width, height } = await drawConfusion(rows, names);
  expect(await sharp(bytes).metadata()).toMatchObject({ format: "png", width, height });
});
