// What the arguments that official checkpoints keep of their training say of the model, beyond the shapes of its tensors:
// the side of the input and the frames of a clip.

import type { PlainValue } from "../io/pytorch/pytorch-file.js";

/** The fields that the arguments give. */
export function argumentsConfig(args: ReadonlyMap<string, PlainValue> | undefined): {
  image?: number;
  frames?: number;
} {
  const count = (name: string): number | undefined => {
    const value = args?.get(name);
    return typeof value === "number" && Number.isSafeInteger(value) && value > 0 ? value : undefined;
  };
  const [image, frames] = [count("input_size"), count("num_frames")];
  return { ...(image !== undefined && { image }), ...(frames !== undefined && { frames }) };
}
