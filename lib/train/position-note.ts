// What to say of a model's positional table: nothing where the grid is that of the published models.
import { type EncoderConfig, publishedGrid, tokenGrid } from "../models/sizes.js";
import type { PositionMode } from "../nn/position-table.js";

export function positionNotes(position: PositionMode, config: EncoderConfig): string[] {
  const { t, h, w } = tokenGrid(config);
  const usual = tokenGrid(publishedGrid(config));
  if (t === usual.t && h === usual.h && w === usual.w) return [];
  const ways = {
    generate: "a sinusoid made for this grid",
    official: "the published code's interpolation",
    interpolate: `the table of ${usual.t} x ${usual.h} x ${usual.w} tokens resized`,
  };
  return [`positional table for ${t} x ${h} x ${w} tokens: ${ways[position]}`];
}
