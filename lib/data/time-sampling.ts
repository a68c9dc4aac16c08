// Which frames of a video make a clip by time: `frames` moments, 1 / rate seconds apart, from an offset that is uniform
// over every start whose window of frames / rate seconds fits; at each moment the frame that is on the screen. So clips of
// videos of any rate, constant or not, go equally fast. A shorter video starts at 0 and repeats its last frame.

import { VideomaeError } from "../errors.js";
import type { RandomStream } from "../random.js";

export interface TimeSamplingOptions {
  /** Frames in a clip. */
  readonly frames: number;
  /** Clip frames a second. */
  readonly rate: number;
}

/** A moment this little before a frame is the frame's: seconds are rounded. */
const ROUNDING = 1e-6;

/**
 * Frame numbers of a clip at a random offset, ascending.
 * @param times  when each frame is shown, in seconds after the first, ascending
 */
export function sampleFramesByTime(times: Float64Array, options: TimeSamplingOptions, stream: RandomStream): number[] {
  const room = roomOf(times, options);
  return framesAt(times, options, room > 0 ? stream.uniform() * room : 0);
}

/** Frame numbers of the clip in the middle of the video: for evaluation. */
export function centreFramesByTime(times: Float64Array, options: TimeSamplingOptions): number[] {
  return framesAt(times, options, Math.max(0, roomOf(times, options) / 2));
}

/** Seconds by which the video is longer than a clip. Its last frame is taken to last as long as the mean one. */
function roomOf(times: Float64Array, { frames, rate }: TimeSamplingOptions): number {
  const count = times.length;
  if (count < 1 || !(frames >= 1) || !(rate > 0)) {
    throw new VideomaeError({
      op: "sampleFramesByTime",
      expected: "at least one frame, and frames and rate above 0",
      got: `${count} frames, frames ${frames}, rate ${rate}`,
    });
  }
  const last = times[count - 1];
  return last + (count > 1 ? last / (count - 1) : 0) - frames / rate;
}

function framesAt(times: Float64Array, { frames, rate }: TimeSamplingOptions, offset: number): number[] {
  let frame = 0;
  return Array.from({ length: frames }, (_, i) => {
    const moment = offset + i / rate + ROUNDING;
    while (frame + 1 < times.length && times[frame + 1] <= moment) frame++;
    return frame;
  });
}
