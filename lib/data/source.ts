// What a clip is read from: a video file, or a folder of numbered pictures.

interface NamedSource {
  /** Where it was named: `list.csv:12`, or its own path. */
  readonly where: string;
  /** Class number on its line, for stages that need one; pre-training does not. */
  readonly label?: number;
  /** Video frames from one clip frame to the next, where its data set has a stride of its own. */
  readonly stride?: number;
}

/** A video file. */
export interface VideoSource extends NamedSource {
  readonly kind: "video";
  /** Absolute path. */
  readonly path: string;
}

/** A folder of numbered pictures: frame i is the file of number start + i. */
export interface FramesSource extends NamedSource {
  readonly kind: "frames";
  /** Absolute path of the folder. */
  readonly folder: string;
  /** Number of the first picture. */
  readonly start: number;
  /** How many pictures there are. */
  readonly total: number;
  /** File name with one field for the number, e.g. `img_{:05}.jpg`. */
  readonly template: string;
}

/** Where a clip comes from: a video file, or a folder of numbered pictures. */
export type Source = VideoSource | FramesSource;

/** The file or folder of a source. */
export function sourcePath(source: Source): string {
  return source.kind === "video" ? source.path : source.folder;
}

/** What tells sources of one data set apart: the path, with the numbers of the pictures where it is a folder. */
export function sourceKey(source: Source): string {
  return source.kind === "video" ? source.path : `${source.folder}\t${source.start}\t${source.total}`;
}
