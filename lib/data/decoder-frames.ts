// Frames that lie in a folder as numbered pictures (JPEG, PNG, WebP), read by sharp. Frame i of the source is picture
// start + i. All pictures must have the size of the first. They are turned as their EXIF says; of 16 bits the upper 8
// count; alpha is dropped, and colour profiles are not looked at: as OpenCV reads them.

import { join } from "node:path";
import type { SharpOptions } from "sharp";
import { VideomaeError } from "../errors.js";
import { checkRead, type VideoFile, wantedSlots } from "./decoder.js";
import { fileIdentity } from "./file-identity.js";
import { pictureName } from "./lists.js";
import type { FramesSource } from "./source.js";
import { TimeLimit } from "./time-limit.js";

/** Opens a folder of pictures. @throws VideomaeError that names the first picture when it cannot be read */
export async function openFrames(source: FramesSource): Promise<VideoFile> {
  const first = await readPicture(source, 0);
  return new FramesFolder(source, first.width, first.height);
}

class FramesFolder implements VideoFile {
  readonly path: string;
  readonly frameCount: number;
  readonly width: number;
  readonly height: number;
  readonly pixelAspect = 1;
  readonly times = undefined;
  readonly #source: FramesSource;

  constructor(source: FramesSource, width: number, height: number) {
    this.#source = source;
    this.path = source.folder;
    this.frameCount = source.total;
    this.width = width;
    this.height = height;
  }

  async read(indices: readonly number[], out: Uint8Array, limit = new TimeLimit()): Promise<void> {
    checkRead(this, indices, out);
    const bytes = this.width * this.height * 3;
    for (const [index, slots] of wantedSlots(indices)) {
      limit.check(picturePath(this.#source, index));
      const picture = await readPicture(this.#source, index);
      if (picture.width !== this.width || picture.height !== this.height) {
        throw new VideomaeError({
          op: picturePath(this.#source, index),
          expected: `${this.width} x ${this.height} pixels, as in the first picture`,
          got: `${picture.width} x ${picture.height}`,
        });
      }
      for (const slot of slots) out.set(picture.pixels, slot * bytes);
    }
  }

  close(): void {}
}

function picturePath(source: FramesSource, index: number): string {
  return join(source.folder, pictureName(source.template, source.start + index));
}

async function readPicture(source: FramesSource, index: number) {
  const path = picturePath(source, index);
  const expected = `picture ${index + 1} of ${source.total} of ${source.where}`;
  fileIdentity(path, expected);
  const { default: sharp } = await import("sharp");
  const options: SharpOptions = { failOn: "warning", sequentialRead: true, ignoreIcc: true };
  try {
    const picture = sharp(path, options).autoOrient().toColourspace("srgb").removeAlpha();
    const { data, info } = await picture.raw().toBuffer({ resolveWithObject: true });
    return { pixels: data, width: info.width, height: info.height };
  } catch (cause) {
    const got = cause instanceof Error ? cause.message : `${cause}`;
    throw new VideomaeError({ op: path, expected, got, cause });
  }
}
