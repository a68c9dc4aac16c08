// What a pre-trained model makes of some clips, as animations inside the page and as a sheet.

import type { DataSpec } from "../data/loader.js";
import { drawAnimation, type Panel } from "../eval/picture.js";
import { reconstructionPanels } from "../eval/reconstruct.js";
import { loadPretrainModel } from "../train/load-pretrain.js";
import { masksOf } from "../train/pretrain.js";
import { clipsOf } from "../train/pretrain-pictures.js";
import { type Html, html } from "./html.js";

/** A clip and its reconstruction. */
export interface Reconstruction {
  /** The video that the clip is of. */
  readonly source: string;
  readonly panels: readonly Panel[];
  /** Side of a frame in pixels. */
  readonly side: number;
}

/** Which clips a report shows. */
export interface ReconstructionOptions {
  /** Videos to show; default: the first ones of the run's own data. */
  readonly data?: DataSpec;
  /** At most so many; default 4. */
  readonly limit?: number;
}

/**
 * Reconstructs clips with the weights of a checkpoint of pre-training and the masks of its run. Videos that cannot be
 * read are left out.
 * @throws VideomaeError when the checkpoint is of another stage, or there is no data
 */
export async function reconstructions(
  checkpoint: string,
  options: ReconstructionOptions = {},
): Promise<Reconstruction[]> {
  const { model, state } = loadPretrainModel(checkpoint);
  using _model = model;
  const clips = await clipsOf(state.config, model, { limit: options.limit ?? 4, data: options.data });
  const side = model.config.image;
  const masks = masksOf(state.config, model);
  return clips.map(({ source, frames: clip }, place) => ({
    ...{ source, side },
    panels: reconstructionPanels(model, masks, clip, place),
  }));
}

/** The animations of the page, each with the name of its video. */
export async function picturesOf(list: readonly Reconstruction[]): Promise<Html> {
  const figures = await Promise.all(
    list.map(async ({ source, panels, side }) => {
      const { bytes, width, height } = await drawAnimation({ panels, side });
      const data = `data:image/webp;base64,${Buffer.from(bytes).toString("base64")}`;
      const label = panels.map((panel) => panel.label).join(", ");
      return html`<figure><img src="${data}" width="${width}" height="${height}" alt="${label} of ${source}">
<figcaption>${source}</figcaption></figure>`;
    }),
  );
  return html`<div class="pictures">${figures}</div>`;
}
