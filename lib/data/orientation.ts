// Display orientation. A container may say by a 3 x 3 matrix (16.16 fixed point) how a picture is to be turned or
// mirrored: pixel (x, y) is shown at (a x + c y, b x + d y). Only quarter turns and mirrors occur in practice; a matrix
// of another angle is taken for the nearest of them.

/** How stored pixels map to shown ones: first transposed, if so, then mirrored. */
export interface Orientation {
  /** Columns become rows: width and height change places. */
  readonly transpose: boolean;
  readonly mirrorX: boolean;
  readonly mirrorY: boolean;
}

export const UPRIGHT: Orientation = { transpose: false, mirrorX: false, mirrorY: false };

/** The orientation of a display matrix, nine little-endian 32-bit integers. */
export function orientationOf(matrix: Uint8Array | null): Orientation {
  if (matrix === null || matrix.byteLength < 36) return UPRIGHT;
  const view = new DataView(matrix.buffer, matrix.byteOffset, matrix.byteLength);
  const [a, b, c, d] = [0, 4, 12, 16].map((at) => view.getInt32(at, true));
  if (Math.abs(a) >= Math.abs(b)) return { transpose: false, mirrorX: a < 0, mirrorY: d < 0 };
  return { transpose: true, mirrorX: c < 0, mirrorY: b < 0 };
}

/** Whether pixels stay where they are. */
export function isUpright({ transpose, mirrorX, mirrorY }: Orientation): boolean {
  return !transpose && !mirrorX && !mirrorY;
}

/**
 * Copies a stored frame, u8 (height, stride) with 3 bytes a pixel, to its shown form, u8 (height, width, 3), or
 * (width, height, 3) when transposed.
 */
export function orient(
  src: Uint8Array,
  stride: number,
  width: number,
  height: number,
  { transpose, mirrorX, mirrorY }: Orientation,
  dst: Uint8Array,
): void {
  const [outWidth, outHeight] = transpose ? [height, width] : [width, height];
  const [stepX, stepY] = transpose ? [stride, 3] : [3, stride];
  let to = 0;
  for (let y = 0; y < outHeight; y++) {
    let at = (mirrorY ? outHeight - 1 - y : y) * stepY + (mirrorX ? (outWidth - 1) * stepX : 0);
    const step = mirrorX ? -stepX : stepX;
    for (let x = 0; x < outWidth; x++, at += step, to += 3) {
      dst[to] = src[at];
      dst[to + 1] = src[at + 1];
      dst[to + 2] = src[at + 2];
    }
  }
}
