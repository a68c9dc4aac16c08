// Both models on clips that are windows of larger videos: what they give for videos that were cut out first.
import { describe, expect, it } from "vitest";
import { backward } from "#lib/autograd/backward.js";
import { classifierModel } from "#lib/models/classifier.js";
import { pretrainModel } from "#lib/models/pretrain.js";
import { RandomStream } from "#lib/random.js";
import { scope } from "#lib/tensor/scope.js";
import { Tensor } from "#lib/tensor/tensor.js";
import { hasEmulator } from "../devices.js";

const [clips, frames, image, height, width] = [2, 8, 32, 35, 41];
const places = [
  [3, 2, 1],
  [0, 9, 0],
];

const stream = new RandomStream(2, "videos");
const whole = Uint8Array.from({ length: clips * frames * height * width * 3 }, () => stream.integer(256));

/** What the windows show: (B, T, S, S, 3). */
const cut = Uint8Array.from({ length: clips * frames * image * image * 3 }, (_, i) => {
  const [c, x, y] = [i % 3, Math.floor(i / 3) % image, Math.floor(i / (3 * image)) % image];
  const frame = Math.floor(i / (3 * image * image)); // of all clips
  const [top, left, flip] = places[Math.floor(frame / frames)];
  return whole[((frame * height + top + y) * width + left + (flip ? image - 1 - x : x)) * 3 + c];
});

const videos = () => ({
  video: Tensor.fromArray(whole, [clips, frames, height, width, 3]),
  window: Tensor.fromArray(Int32Array.from(places.flat()), [clips, 3]),
  small: Tensor.fromArray(cut, [clips, frames, image, image, 3]),
});

describe.each(["cpu", "emu"] as const)("through a window, on %s,", (device) => {
  it.skipIf(device === "emu" && !hasEmulator)("the pre-training model has the same loss and gradients", () => {
    scope(() => {
      using model = pretrainModel("vit-tiny", { device });
      const { video, window, small } = videos();
      const tokens = (first: number, count: number) =>
        Tensor.fromArray(
          Int32Array.from({ length: clips * count }, (_, i) => first + 3 * (i % count)),
          [clips, count],
        );
      const masks = { visible: tokens(0, 6), decoded: tokens(1, 8) };
      const run = (input: Tensor, view: { window?: Tensor }) => {
        const loss = model.loss(input, { ...masks, ...view });
        backward(loss);
        const parameters = model.namedParameters().map(([, { value }]) => value);
        const gradients = parameters.map(({ grad }) => Buffer.from((grad!.readSync() as Float32Array).slice().buffer));
        for (const parameter of parameters) {
          parameter.grad!.dispose();
          parameter.grad = undefined;
        }
        return { loss: loss.readSync()[0], gradients: Buffer.concat(gradients) };
      };
      const [seen, expected] = [run(video, { window }), run(small, {})];
      expect(seen.loss).toBe(expected.loss);
      expect(seen.gradients.equals(expected.gradients)).toBe(true);
      expect(() => model.loss(video, masks)).toThrow(/sides by the patch/);
    });
  });

  it.skipIf(device === "emu" && !hasEmulator)("the classifier gives the same scores", () => {
    scope(() => {
      using model = classifierModel("vit-tiny", { classes: 5, device, headInitScale: 40 }).train(false);
      const { video, window, small } = videos();
      expect(model.forward(video, { window }).readSync()).toEqual(model.forward(small).readSync());
      expect(model.tokens(video, { window }).shape).toEqual(model.tokens(small).shape);
    });
  });
});
