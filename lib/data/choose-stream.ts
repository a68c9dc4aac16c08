// Which video stream of a file is decoded. A cover picture, a thumbnail or a still picture is no video. Of several
// streams one that is marked as default comes first, then the highest bit rate, then the first: the order of FFmpeg's
// libraries (and so of the reference's reader), less what they learn by decoding the beginning.

import { VideomaeError } from "../errors.js";

/** What a file says of one of its video streams. */
export interface VideoStream {
  readonly index: number;
  /** A cover picture, a thumbnail, or a still picture. */
  readonly picture: boolean;
  readonly default: boolean;
  /** Bits a second, 0 when the file does not say. */
  readonly bitRate: number;
}

/** @throws VideomaeError that names the file when it has no video */
export function chooseStream<S extends VideoStream>(path: string, streams: readonly S[]): S {
  const videos = streams.filter((stream) => !stream.picture);
  if (videos.length === 0) {
    const got = streams.length > 0 ? "none but a cover picture" : "none";
    throw new VideomaeError({ op: path, expected: "a video stream", got });
  }
  return videos.reduce((a, b) => (before(b, a) ? b : a));
}

function before(a: VideoStream, b: VideoStream): boolean {
  if (a.default !== b.default) return a.default;
  return a.bitRate > b.bitRate;
}
