// What the loader asks of a worker, and what it hears back.

import type { DecoderName } from "./find-decoder.js";
import type { LabelledView } from "./labelled-view.js";
import type { Source } from "./source.js";

/** The shape of every clip of a data set. */
export interface ClipShape {
  /** Frames in a clip (T). */
  readonly frames: number;
  /** Video frames from one clip frame to the next. */
  readonly stride: number;
  /** Clip frames a second: by time, instead of by `stride`. */
  readonly rate?: number;
  /** The shape of pixels that are not square: as stored, or as displayed. Default: as stored. */
  readonly pixelAspect?: "stored" | "display";
  /** Side of a frame in pixels (S). */
  readonly size: number;
  /** Clips cut from the same decoded frames, each with its own crop (V). */
  readonly views: number;
  /** Videos with fewer frames are bad; default 1. */
  readonly minFrames?: number;
  /** Clips as a classifier sees them; absent: those of pre-training. */
  readonly labelled?: LabelledView;
}

/** One video's clips: everything that decides their pixels. */
export interface ClipRequest {
  readonly source: Source;
  readonly clip: ClipShape;
  readonly seed: number;
  readonly epoch: number;
  /** Place in the order of the epoch. */
  readonly place: number;
  /** 0, or the number of the replacement when the source of this place was bad. */
  readonly attempt: number;
  /** Middle frames and centre crop instead of random ones. */
  readonly evaluation: boolean;
  /** Where the clips go, from `offset` on: u8 (V, T, S, S, 3), or f32 (V, 3, T, S, S) where they are augmented. */
  readonly memory: SharedArrayBuffer;
  readonly offset: number;
}

/** Whether the clips were made; if not, whether the source never opens or these frames of it could not be read. */
export type ClipOutcome =
  | { readonly made: true }
  | { readonly made: false; readonly stage: "open" | "read"; readonly reason: string };

/** A request by number. */
export interface PostedRequest {
  readonly id: number;
  readonly request: ClipRequest;
}

/** To a worker: requests, which it may or may not be the one to take, or `stop`. */
export type ToWorker = readonly PostedRequest[] | "stop";

/** From a worker: an outcome, or the message of an error that is not the file's fault. */
export type FromWorker =
  | { readonly id: number; readonly outcome: ClipOutcome }
  | { readonly id: number; readonly failure: string };

export interface WorkerSetup {
  readonly decoder: DecoderName;
  /** What a request may take; absent: for ever. */
  readonly seconds: number | undefined;
  /** Of a `ClipQueue`. */
  readonly queue: SharedArrayBuffer;
  /** Of a `WorkerStatus`. */
  readonly status: SharedArrayBuffer;
  /** Of a `WorkSignal`. */
  readonly signal: SharedArrayBuffer;
}

/**
 * What the pixels of a clip are: bytes (T, S, S, 3) as decoded, or, where they are augmented, normalised f32
 * (3, T, S, S).
 */
export function pixelType({ labelled }: ClipShape, evaluation: boolean): "u8" | "f32" {
  return labelled?.augment !== undefined && !evaluation ? "f32" : "u8";
}

/** Bytes of one video's clips. */
export function clipBytes(clip: ClipShape, evaluation: boolean): number {
  const { frames, size, views } = clip;
  return views * frames * size * size * 3 * (pixelType(clip, evaluation) === "f32" ? 4 : 1);
}
