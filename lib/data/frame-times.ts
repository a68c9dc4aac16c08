// When each frame of a video is shown, in seconds after the first one. Timestamps count where every frame has one and
// they ascend; otherwise frames are taken to be equally far apart, at the average rate that the file states.

/** Frames a second where a file says nothing of its rate. */
const UNKNOWN_RATE = 25;

/**
 * @param stamps  one a frame in the order of display, in units of `timeBase` seconds; undefined where there is none
 * @param rate  the stated average rate in frames a second; 0 or NaN when there is none
 */
export function frameTimes(stamps: readonly (number | undefined)[], timeBase: number, rate: number): Float64Array {
  const first = stamps[0];
  const trusted = stamps.every((stamp, i) => stamp !== undefined && (i === 0 || stamp > stamps[i - 1]!));
  if (trusted) return Float64Array.from(stamps, (stamp) => (stamp! - first!) * timeBase);
  const step = 1 / (rate > 0 ? rate : UNKNOWN_RATE);
  return Float64Array.from(stamps, (_, i) => i * step);
}
