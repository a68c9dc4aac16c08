// A set of videos, and the shape of the clips to take from them.

import { rejectUnknownOptions, VideomaeError } from "../errors.js";
import type { ClipShape } from "./clip-request.js";
import { checkLabelledView, type LabelledView } from "./labelled-view.js";
import { type DataOptions, type DataSpec, type DatasetPart, readMixture, wholePart } from "./mixture.js";
import type { Source } from "./source.js";

/** Which frames a clip has, and how they are cut to size. */
export interface ClipOptions {
  /** Frames in a clip. */
  readonly frames: number;
  /** Video frames from one clip frame to the next. */
  readonly stride: number;
  /** Clip frames a second: frames are taken by time, and `stride` does not count. */
  readonly rate?: number;
  /** The shape of pixels that are not square, in a crop: as stored (default), or as displayed. */
  readonly pixelAspect?: "stored" | "display";
  /** Side of a frame in pixels. */
  readonly size: number;
  /** Clips cut from a video each time it is decoded, each with its own crop; default 1. */
  readonly views?: number;
  /** Videos with fewer frames are bad files; default 1: a short video repeats its last position. */
  readonly minFrames?: number;
  /**
   * Clips as a classifier sees them, augmented unless in evaluation; absent: those of pre-training. `rate` and
   * `pixelAspect` do not apply.
   */
  readonly labelled?: LabelledView;
}

const OPTIONS = ["frames", "stride", "rate", "pixelAspect", "size", "views", "minFrames", "labelled"];
/** A view's random numbers are keyed by 16 bits. */
const MOST_VIEWS = 2 ** 16 - 1;

/** Videos to take clips from. */
export class VideoDataset {
  readonly sources: readonly Source[];
  readonly clip: ClipShape;
  /** The sources of a mixture, with their shares; one part where it is none. */
  readonly parts: readonly DatasetPart[];
  /** How many videos were left out because `exclude` names them. */
  readonly excluded: number;

  /** @throws VideomaeError when there are no sources, or an option is not a whole number of at least 1 */
  constructor(
    sources: readonly Source[],
    clip: ClipOptions,
    { parts = [wholePart(sources.length)], excluded = 0 }: { parts?: readonly DatasetPart[]; excluded?: number } = {},
  ) {
    rejectUnknownOptions("VideoDataset", clip, OPTIONS);
    const { frames, stride, rate, pixelAspect = "stored", size, views = 1, minFrames = 1, labelled } = clip;
    this.clip = { frames, stride, rate, pixelAspect, size, views, minFrames, labelled };
    this.parts = parts;
    this.excluded = excluded;
    checkSampling(rate, pixelAspect);
    for (const [name, value] of Object.entries({ frames, stride, size, views, minFrames })) {
      if (Number.isInteger(value) && value >= 1 && value <= MOST_VIEWS) continue;
      throw new VideomaeError({
        op: "VideoDataset",
        expected: `${name} to be an integer of at least 1`,
        got: `${value}`,
      });
    }
    if (labelled !== undefined) checkLabelled(labelled, clip);
    if (sources.length === 0)
      throw new VideomaeError({ op: "VideoDataset", expected: "at least one video", got: "none" });
    this.sources = sources;
  }

  /**
   * The videos of a folder, of a list file (see `readSources`), of a mixture (see `readMixture`), or one video.
   * @throws VideomaeError for data or options that make no sense
   */
  static from(data: DataSpec, options: DataOptions & ClipOptions): VideoDataset {
    const { exclude, root, framesTemplate, pictures, startIndex, ...clip } = options;
    const { sources, ...mixture } = readMixture(data, { exclude, root, framesTemplate, pictures, startIndex });
    return new VideoDataset(sources, clip, mixture);
  }

  /** How many videos there are. */
  get length(): number {
    return this.sources.length;
  }
}

function checkSampling(rate: number | undefined, pixelAspect: string): void {
  const fail = (expected: string, got: unknown): never => {
    throw new VideomaeError({ op: "VideoDataset", expected, got: `${got}` });
  };
  if (rate !== undefined && !(rate > 0 && Number.isFinite(rate))) fail("rate to be a number above 0", rate);
  if (pixelAspect !== "stored" && pixelAspect !== "display") fail('pixelAspect "stored" or "display"', pixelAspect);
}

function checkLabelled(labelled: LabelledView, { size, rate, pixelAspect }: ClipOptions): void {
  checkLabelledView(labelled, size);
  const other = rate !== undefined ? "rate" : pixelAspect === "display" ? "pixelAspect" : undefined;
  if (other === undefined) return;
  throw new VideomaeError({
    op: "VideoDataset",
    expected: "labelled clips, or other ones",
    got: `both labelled and ${other}`,
  });
}
