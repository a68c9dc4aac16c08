// The time of the classifier's forward pass on one batch of u8 clips of noise: inference, as a predictor does it. The model
// has all tokens, their mean, a norm, and a head of 400 classes.
import { noGrad } from "../autograd/grad-mode.js";
import { classifierModel } from "../models/classifier.js";
import { modelName } from "../models/sizes.js";
import { synchronize } from "../tensor/devices.js";
import { scope } from "../tensor/scope.js";
import { Tensor } from "../tensor/tensor.js";
import { type MeasuredOn, ourFields } from "./measured-on.js";
import { noise } from "./noise.js";
import type { TimedRow } from "./row.js";
import { perSecond, type Repeats, timeCalls } from "./time-calls.js";

const WARM_UP = 3;

export interface ClassifierWork extends MeasuredOn {
  readonly model: string;
  /** Clips in a batch. */
  readonly clips: number;
}

/** @throws VideomaeError when there is no such model or device */
export function measureClassifier(work: ClassifierWork, repeats: Repeats): TimedRow {
  const { model: name, clips, device, dtype } = work;
  using model = classifierModel(name, { classes: 400, seed: 0, dtype, device });
  model.train(false);
  if (device === "cpu") model.packWeights();
  const { frames, image } = model.config;
  using bytes = Tensor.fromArray(noise(clips * frames * image * image * 3), [clips, frames, image, image, 3]);
  using video = bytes.to(device);
  const call = () => {
    noGrad(() => scope(() => void model.forward(video)));
    if (device !== "cpu") synchronize(device);
  };
  const times = timeCalls(call, WARM_UP, repeats);
  return {
    bench: "classifier",
    ...ourFields(work, { graph: false }),
    pass: "forward",
    model: modelName(name),
    clips,
    ...times,
    clipsPerSecond: perSecond(clips, times.medianMs),
  };
}
