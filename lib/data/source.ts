// What a clip is read from: a video file, or a folder of numbered pictures.

/** A video file. */
export interface VideoSource {
  readonly kind: "video";
  /** Absolute path. */
  readonly path: string;
  /** Where it was named: `list.csv:12`, or its own path. */
  readonly where: string;
}

/** A folder of numbered pictures: frame i is the file of number start + i. */
export interface FramesSource {
  readonly kind: "frames";
  /** Absolute path of the folder. */
  readonly folder: string;
  /** Number of the first picture. */
  readonly start: number;
  /** How many pictures there are. */
  readonly total: number;
  /** File name with one field for the number, e.g. `img_{:05}.jpg`. */
  readonly template: string;
  readonly where: string;
}

export type Source = VideoSource | FramesSource;

/** The file or folder of a source. */
export function sourcePath(source: Source): string {
  return source.kind === "video" ? source.path : source.folder;
}
