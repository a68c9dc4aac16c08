// What a decoder backend makes of a file: pictures as the codec gave them, with what is needed to show them. Both
// backends stop here; turning stored pictures into RGB is done once, for both, in shown-video.ts.

import type { Orientation } from "../ops/frame-to-rgb.js";
import type { ColourTags } from "./colour.js";
import type { TimeLimit } from "./time-limit.js";

/** One decoded picture. */
export interface StoredPicture extends ColourTags {
  /** A plain pixel format (see pixel-format.ts) by FFmpeg's name. */
  readonly format: string;
  readonly width: number;
  readonly height: number;
  /** Its planes, one after another and without padding, alpha last. */
  readonly bytes: Uint8Array;
}

/** An open file. A frame's number is its place in the order in which the whole video decodes from the start. */
export interface StoredVideo {
  readonly path: string;
  readonly frameCount: number;
  /** In pixels, as the stream states them; single pictures may differ. */
  readonly width: number;
  readonly height: number;
  readonly orientation: Orientation;
  /** Width of a stored pixel divided by its height. */
  readonly pixelAspect: number;
  /** When each frame is shown, in seconds after the first. */
  readonly times: Float64Array;
  /**
   * Decodes frames and delivers each once, in ascending order.
   * @param frames  ascending and distinct, each in [0, frameCount)
   * @param deliver  gets bytes that are only valid during the call
   * @throws VideomaeError that names the file when a frame is damaged, never decodes, or the limit is over
   */
  decode(
    frames: readonly number[],
    deliver: (frame: number, picture: StoredPicture) => void,
    limit: TimeLimit,
  ): Promise<void>;
  close(): void;
}

/** A decoder backend. */
export interface StoredDecoder {
  readonly name: string;
  /** Of FFmpeg and of its codec library. */
  readonly version: string;
  /**
   * @throws VideomaeError that names the file when it is missing, empty, cut short, no regular file, has no video, or the
   * limit is over
   */
  open(path: string, limit: TimeLimit): Promise<StoredVideo>;
}
