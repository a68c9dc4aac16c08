// A video as it is seen: the stored pictures of either backend as RGB, turned by the file's display matrix, all of one
// size. Everything between a codec's output and a clip's pixels happens here and in the op frameToRgb, so the backends
// cannot differ in it. A picture of another size than the stream states is resized to that, as Pillow's bilinear filter
// does it.

import { VideomaeError } from "../errors.js";
import { cropResize } from "../ops/crop-resize.js";
import { frameToRgb, type StoredLayout } from "../ops/frame-to-rgb.js";
import { scope } from "../tensor/scope.js";
import { Tensor } from "../tensor/tensor.js";
import { colourOf } from "./colour.js";
import { checkRead, type VideoDecoder, type VideoFile, wantedSlots } from "./decoder.js";
import { pictureBytes, pixelFormat } from "./pixel-format.js";
import type { StoredDecoder, StoredPicture, StoredVideo } from "./stored-video.js";
import { TimeLimit } from "./time-limit.js";

/** Twice an 8K picture. A larger one is taken for a damaged header: 16 frames of it would fill 3 GB. */
const MOST_PIXELS = 2 ** 26;

/** A decoder of videos as they are seen. */
export function videoDecoder({ name, version, ...backend }: StoredDecoder): VideoDecoder {
  return {
    ...{ name, version },
    open: async (path, limit = new TimeLimit()) => new ShownVideo(await backend.open(path, limit)),
  };
}

class ShownVideo implements VideoFile {
  readonly path: string;
  readonly frameCount: number;
  readonly width: number;
  readonly height: number;
  readonly pixelAspect: number;
  readonly times: Float64Array;
  readonly #stored: StoredVideo;

  /** Takes the file over. @throws VideomaeError when it has no frames, or pictures out of all proportion */
  constructor(stored: StoredVideo) {
    const { path, frameCount, width, height, times, pixelAspect, orientation } = stored;
    this.#stored = stored;
    this.path = path;
    this.frameCount = frameCount;
    const { transpose } = orientation;
    this.width = transpose ? height : width;
    this.height = transpose ? width : height;
    this.pixelAspect = transpose ? 1 / pixelAspect : pixelAspect;
    this.times = times;
    if (frameCount > 0 && width > 0 && height > 0 && width * height <= MOST_PIXELS) return;
    stored.close();
    const none = frameCount === 0 || width === 0 || height === 0;
    throw none
      ? new VideomaeError({ op: path, expected: "at least one frame", got: "a video stream without frames" })
      : new VideomaeError({
          op: path,
          expected: `pictures of at most ${MOST_PIXELS} pixels`,
          got: `${width} x ${height}`,
        });
  }

  async read(indices: readonly number[], out: Uint8Array, limit = new TimeLimit()): Promise<void> {
    checkRead(this, indices, out);
    if (indices.length === 0) return;
    const bytes = this.width * this.height * 3;
    const wanted = wantedSlots(indices);
    const frames = [...wanted.keys()].sort((a, b) => a - b);
    await this.#stored.decode(
      frames,
      (frame, picture) => {
        const [first, ...others] = wanted.get(frame)!;
        const pixels = out.subarray(first * bytes, (first + 1) * bytes);
        this.#show(picture, pixels);
        for (const slot of others) out.set(pixels, slot * bytes);
      },
      limit,
    );
  }

  close(): void {
    this.#stored.close();
  }

  /** Writes a picture into u8 (height, width, 3). */
  #show(picture: StoredPicture, pixels: Uint8Array): void {
    const { layout, bytes } = this.#layout(picture);
    scope(() => {
      const stored = Tensor.fromArray(picture.bytes.subarray(0, bytes), [1, bytes]);
      const rgb = frameToRgb(stored, layout, this.#stored.orientation); // u8 (1, h, w, 3)
      const [, height, width] = rgb.shape;
      const same = width === this.width && height === this.height;
      (same ? rgb : cropResize(rgb, { x: 0, y: 0, width, height }, this)).readInto(pixels);
    });
  }

  #layout({ format, width, height, colorSpace, colorRange }: StoredPicture) {
    const fail = (expected: string, got: string): never => {
      throw new VideomaeError({ op: this.path, expected, got });
    };
    const samples = pixelFormat(format) ?? fail("a pixel format of integer samples", format);
    const colour =
      colourOf(samples, { colorSpace, colorRange }, width, height) ??
      fail("a colour matrix of BT.601, BT.709, BT.2020, FCC or SMPTE 240M", colorSpace);
    const { model, depth, chromaX, chromaY } = samples;
    const layout: StoredLayout = { width, height, model, depth, chromaX, chromaY, ...colour };
    return { layout, bytes: pictureBytes(samples, width, height).shown };
  }
}
