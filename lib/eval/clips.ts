// Clips for evaluation: the middle frames and the centre crop of every video, in the list's order.
import type { DecoderName } from "../data/find-decoder.js";
import type { SourceOptions } from "../data/lists.js";
import { type BadFile, type ClipOptions, type DataSpec, loader, VideoDataset } from "../data/loader.js";
import { sourcePath } from "../data/source.js";

/** A clip and where it came from. */
export interface EvaluationClip {
  readonly source: string;
  /** u8 (T, S, S, 3) */
  readonly frames: Uint8Array;
}

/**
 * Reads the clips of a video, a folder or a list; those that cannot be read are reported and left out.
 * @param data  a video, a folder, a list or a mixture
 * @param options  `limit`: at most so many clips, the first ones
 */
export async function evaluationClips(
  data: DataSpec,
  options: SourceOptions & ClipOptions & { decoder?: DecoderName; limit?: number; onBadFile?: (file: BadFile) => void },
): Promise<EvaluationClip[]> {
  const { decoder, limit = Number.POSITIVE_INFINITY, onBadFile, ...rest } = options;
  const dataset = VideoDataset.from(data, rest);
  const clips: EvaluationClip[] = [];
  const steps = Math.min(limit, dataset.length);
  const batches = loader(dataset, { batchSize: 1, workers: 0, evaluation: true, steps, decoder, onBadFile });
  for await (using batch of batches) {
    const [source] = batch.sources;
    if (source !== sourcePath(dataset.sources[batch.step])) continue; // unreadable: left out, not replaced
    clips.push({ source, frames: Uint8Array.from(batch.frames) });
  }
  return clips;
}
