// A user's training script, run through tsx and compiled by tsc against the packed package. It says how the losses fell.
import {
  AdamW,
  backward,
  type DualMask,
  dualMask,
  type PretrainModel,
  parameterGroups,
  pretrainModel,
  scope,
  Tensor,
  tokenGrid,
  VideomaeError,
} from "videomae";

async function train(model: PretrainModel, masks: DualMask, steps: number): Promise<number[]> {
  const optimizer = new AdamW(parameterGroups(model), { lr: 1e-3 });
  const pixels = Uint8Array.from({ length: 8 * 32 * 32 * 3 }, (_, i) => i % 251);
  using video = Tensor.fromArray(pixels, [1, 8, 32, 32, 3]);
  const losses: number[] = [];
  for (let step = 0; step < steps; step++) {
    losses.push(
      await scope(async () => {
        const loss = model.loss(video, masks.sample({ keys: [{ epoch: 0, place: 0, view: 0 }] }));
        const value = await loss.item();
        backward(loss);
        optimizer.step();
        return value;
      }),
    );
  }
  return losses;
}

const model: PretrainModel = pretrainModel("vit-tiny");
const masks = dualMask({
  encoder: { kind: "tube", ratio: 0.75 },
  decoder: { kind: "running-cell", ratio: 0.5 },
  grid: tokenGrid(model.config),
});
const losses = await train(model, masks, 5);
const [first = Number.NaN, last = Number.NaN] = [losses[0], losses.at(-1)];
if (!(last < first)) throw new Error(`the loss did not fall: ${losses.join(" ")}`);

try {
  pretrainModel("vit-tinny");
  throw new Error("a misspelt size was taken");
} catch (error) {
  if (!(error instanceof VideomaeError) || !error.message.includes("vit-tiny")) throw error;
}
console.log(`losses ${losses.map((loss) => loss.toFixed(4)).join(" ")}`);
