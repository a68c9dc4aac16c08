// Which frames of a video a classifier looks at: a random clip to learn from, one clip for validation, several for a
// multi-view test (spec 4.5, 4.11), and sliding windows for features. "Dense" takes clips of neighbouring frames, `stride` apart; "sparse" spreads the
// frames of a clip over the whole video.
//
// Where the published test divides by the number of clips less one, a single clip is the middle one.

import { VideomaeError } from "../errors.js";
import type { RandomStream } from "../random.js";
import type { Source } from "./source.js";

/** Which frames of a video a clip has: neighbouring ones (`dense`), or some spread over the whole video (`sparse`). */
export interface ViewSampling {
  /** Frames of a clip, T. */
  readonly frames: number;
  /** Video frames from one clip frame to the next, for dense sampling. */
  readonly stride: number;
  readonly sampling: "dense" | "sparse";
}

/**
 * Frame numbers of the one clip that validation uses.
 * @param kind  of the source: folders of pictures are sampled sparsely by a rule of their own
 */
export function validationFrames(frameCount: number, view: ViewSampling, kind: Source["kind"] = "video"): number[] {
  return clipFrames(frameCount, view, kind, (low, high) => Math.floor((low + high) / 2));
}

/** Frame numbers of a random clip to learn from. */
export function trainingFrames(
  frameCount: number,
  view: ViewSampling,
  stream: RandomStream,
  kind: Source["kind"] = "video",
): number[] {
  return clipFrames(frameCount, view, kind, (low, high) => low + stream.integer(high - low));
}

/** An integer in [low, high), or near its middle. */
type Choose = (low: number, high: number) => number;

function clipFrames(frameCount: number, view: ViewSampling, kind: Source["kind"], choose: Choose): number[] {
  check({ frameCount, frames: view.frames, stride: view.stride });
  if (view.sampling === "dense") return denseClip(frameCount, view, choose);
  return kind === "video"
    ? sparseClip(frameCount, view.frames, choose)
    : sparsePictures(frameCount, view.frames, choose);
}

/** Frame numbers of each of `clips` clips of a multi-view test. */
export function testFrames(frameCount: number, view: ViewSampling, clips: number): number[][] {
  const { frames, stride } = view;
  check({ frameCount, frames, stride, clips });
  if (view.sampling === "sparse") {
    const tick = frameCount / frames;
    const all = Array.from({ length: clips }, (_, a) =>
      Array.from({ length: frames }, (_, x) => Math.trunc((a * tick) / clips + tick * x)),
    ).flat();
    all.sort((a, b) => a - b);
    return Array.from({ length: clips }, (_, a) => all.filter((_, i) => i % clips === a));
  }
  const sampled = Array.from({ length: Math.ceil(frameCount / stride) }, (_, i) => i * stride);
  while (sampled.length < frames) sampled.push(sampled[sampled.length - 1]);
  const room = sampled.length - frames;
  const start = (a: number) => Math.trunc(clips === 1 ? room / 2 : a * (room / (clips - 1)));
  return Array.from({ length: clips }, (_, a) => sampled.slice(start(a), start(a) + frames));
}

/**
 * Where windows of `frames` consecutive frames begin: 0, step, 2 step, ... while they fit.
 * @throws VideomaeError when the video is shorter than one window
 */
export function windowStarts(frameCount: number, frames: number, step: number): number[] {
  check({ frameCount, frames, step });
  if (frameCount < frames) {
    throw new VideomaeError({
      op: "windows",
      expected: `a video of at least ${frames} frames`,
      got: `${frameCount}`,
    });
  }
  return Array.from({ length: Math.floor((frameCount - frames) / step) + 1 }, (_, i) => i * step);
}

// The points of a linspace lie (frames stride) / (frames - 1) apart, not stride: published models were trained so.
function denseClip(frameCount: number, { frames, stride }: ViewSampling, choose: Choose): number[] {
  const length = frames * stride;
  if (frameCount <= length) {
    const points = linspace(0, frameCount, Math.floor(frameCount / stride));
    const padded = [...points, ...new Array<number>(frames - points.length).fill(frameCount)];
    return padded.map((point) => Math.trunc(Math.min(point, frameCount - 1)));
  }
  const end = choose(length, frameCount);
  const start = end - length;
  return linspace(start, end, frames).map((point) => Math.trunc(Math.min(Math.max(point, start), end - 1)));
}

// A segment of at most one frame: its only frame; of a video shorter than the clip, the last frame every time. The last
// frame of a longer segment is never taken: published models were trained so.
function sparseClip(frameCount: number, frames: number, choose: Choose): number[] {
  const length = Math.floor(frameCount / frames);
  if (length === 0) return new Array<number>(frames).fill(frameCount - 1);
  return Array.from({ length: frames }, (_, segment) => segment * length + (length <= 1 ? 0 : choose(1, length) - 1));
}

/** Of pictures: the middle of each segment; fewer pictures than the clip has frames follow copies of the first. */
function sparsePictures(frameCount: number, frames: number, choose: Choose): number[] {
  const length = Math.floor(frameCount / frames);
  return Array.from({ length: frames }, (_, segment) =>
    length > 0 ? segment * length + choose(0, length) : Math.max(0, segment - (frames - frameCount)),
  );
}

/** `count` points from `start` to `end`, both among them; only `start` when there is one. */
function linspace(start: number, end: number, count: number): number[] {
  const step = (end - start) / (count - 1);
  return Array.from({ length: count }, (_, i) => {
    if (i === 0) return start;
    return i === count - 1 ? end : i * step + start;
  });
}

function check(counts: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(counts)) {
    if (Number.isSafeInteger(value) && value >= 1) continue;
    throw new VideomaeError({ op: "views", expected: `${name} to be an integer of at least 1`, got: `${value}` });
  }
}
