// Which frames of a video make a clip (spec 4.3): `frames` frames, `stride` apart, from an offset that is uniform over
// every start whose window of frames * stride fits. A shorter video starts at 0 and repeats its last position.

import { VideomaeError } from "../errors.js";
import type { RandomStream } from "../random.js";

export interface SamplingOptions {
  /** Frames in a clip, default 16. */
  readonly frames?: number;
  /** Video frames from one clip frame to the next, default 4. */
  readonly stride?: number;
}

/** Frame numbers of a clip at a random offset, ascending, each in [0, frameCount). */
export function sampleFrames(frameCount: number, options: SamplingOptions, stream: RandomStream): number[] {
  const { frames, stride } = checked(frameCount, options);
  const starts = frameCount - frames * stride + 1;
  return walk(frameCount, frames, stride, starts > 0 ? stream.integer(starts) : 0);
}

/** Frame numbers of the clip in the middle of the video: for evaluation. */
export function centreFrames(frameCount: number, options: SamplingOptions = {}): number[] {
  const { frames, stride } = checked(frameCount, options);
  return walk(frameCount, frames, stride, Math.max(0, Math.floor((frameCount - frames * stride) / 2)));
}

// A step is taken while it stays strictly below the last frame: with stride 1 and the greatest offset, or a short
// video, the last frame is never reached. The reference does so, and published models were trained so.
function walk(frameCount: number, frames: number, stride: number, offset: number): number[] {
  const positions = [offset];
  while (positions.length < frames) {
    const last = positions[positions.length - 1];
    positions.push(last + stride < frameCount - 1 ? last + stride : last);
  }
  return positions;
}

function checked(frameCount: number, { frames = 16, stride = 4 }: SamplingOptions) {
  for (const [name, value] of Object.entries({ frameCount, frames, stride })) {
    if (Number.isInteger(value) && value >= 1) continue;
    throw new VideomaeError({
      op: "sampleFrames",
      expected: `${name} to be an integer of at least 1`,
      got: `${value}`,
    });
  }
  return { frames, stride };
}
