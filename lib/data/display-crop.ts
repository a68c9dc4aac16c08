// Crops of frames whose pixels are not square. A crop is drawn on the frame as it is displayed, as many rows high as it
// is stored and wider or narrower, and given in stored pixels; resizing the crop then undoes the distortion at no cost.

import type { CropBox } from "../ops/crop-resize.js";

/**
 * @param width  of the stored frame, as is `height`, in pixels
 * @param pixelAspect  width of a pixel divided by its height
 * @param draw  makes a crop of a frame of square pixels
 */
export function cropAsDisplayed(
  width: number,
  height: number,
  pixelAspect: number,
  draw: (width: number, height: number) => CropBox,
): CropBox {
  const displayed = Math.max(1, Math.round(width * pixelAspect));
  const box = draw(displayed, height);
  const stored = (column: number) => Math.round((column * width) / displayed);
  const left = Math.min(stored(box.x), width - 1);
  return { ...box, x: left, width: Math.max(1, stored(box.x + box.width) - left) };
}
