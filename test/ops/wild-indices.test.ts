// Indices on a device that the host cannot see: one that is out of range is not followed, its op is named at the next read,
// and rows that it is not about are what they are without it. The emulator would name any access outside the operands.
import { describe, expect, it } from "vitest";
import { type NativeArguments, nativeOp } from "#lib/tensor/native-op.js";
import { scope } from "#lib/tensor/scope.js";
import { Tensor } from "#lib/tensor/tensor.js";
import { hasEmulator } from "../devices.js";
import { numbers } from "./check-gradient.js";

const [clips, tokens, count, width] = [2, 8, 3, 12]; // of videos of 4 x 8 x 8 in cubes of 2 x 4 x 4
const columns = 3 * 2 * 4 * 4;

type Shape = readonly number[];
const product = (shape: Shape) => shape.reduce((a, b) => a * b, 1);
const f32 = (name: string, ...shape: number[]) => Tensor.fromArray(numbers(product(shape), name), shape, "f32", "emu");
const i32 = (values: readonly number[], shape: Shape) =>
  Tensor.fromArray(Int32Array.from(values), [...shape], "i32", "emu");

/** An op with an index tensor among its operands. */
interface Indexed {
  readonly op: string;
  /** The operand that is an index, good values of it, and how many there are of what it counts. */
  readonly operand: string;
  readonly good: readonly number[];
  readonly shape: Shape;
  readonly limit: number;
  readonly others: () => NativeArguments;
  /** Elements of the result of a row that the second index of the list is not about: (from, until). */
  readonly result: string;
  readonly untouched: readonly [number, number];
}

const names = [0, 2, 5, 7, 1, 3];
const rows = { good: names, shape: [clips, count], limit: tokens };
const video = () => f32("video", clips, 3, 4, 8, 8);
const bytes = () => {
  const pixels = numbers(clips * 4 * 8 * 8 * 3, "bytes", 0, 256).map(Math.floor);
  return Tensor.fromArray(pixels, [clips, 4, 8, 8, 3], "u8", "emu");
};
const cubes = { tubelet: 2, patch: 4 };
const lossOf = () => ({
  ...{ prediction: f32("prediction", clips, count, columns), video: bytes(), ...cubes },
  ...{ decoded: i32(names, [clips, count]), visible: i32([6, 6, 6, 6, 6, 6], [clips, count]) },
});
const backwardOf = () => ({ ...lossOf(), gradLoss: f32("gradLoss"), weight: f32("weight") });
const windows = { good: [0, 0, 0, 0, 0, 1], shape: [clips, 3], limit: 1 };
const embeddingOf = () => ({
  ...{ video: bytes(), weight: f32("weight", width, 3, 2, 4, 4), bias: f32("bias", width) },
  ...{ position: f32("position", tokens, width), visible: i32(names, [clips, count]) },
});
const gradientOf = () => ({
  ...{ gradPatches: f32("gradPatches", clips * count, columns), visible: i32(names, [clips, count]) },
  ...{ video: video(), ...cubes },
});
const assembly = () => ({
  ...{ x: f32("x", clips, count, width), maskToken: f32("maskToken", 1, 1, width) },
  ...{ position: f32("position", tokens, width) },
  ...{ visible: i32(names, [clips, count]), decoded: i32(names, [clips, count]) },
});
const scores = () => ({
  logits: f32("logits", clips, 5),
  logSumExp: f32("logSumExp", clips),
  gradLoss: f32("gradLoss"),
});

const ops: readonly Indexed[] = [
  {
    ...{ op: "gatherTokens", operand: "index", ...rows, result: "y", untouched: [0, width] },
    others: () => ({ x: f32("x", clips, tokens, width) }),
  },
  {
    ...{ op: "scatterTokens", operand: "index", ...rows, result: "x", untouched: [0, width] },
    others: () => ({ y: f32("y", clips, count, width), tokens }),
  },
  { op: "embedVisible", operand: "visible", ...rows, result: "y", untouched: [0, width], others: embeddingOf },
  {
    ...{
      op: "embedVisible",
      operand: "window",
      ...windows,
      result: "y",
      untouched: [count * width, 2 * count * width],
    },
    others: () => ({ ...embeddingOf(), side: 8 }),
  },
  {
    ...{ op: "embedVisibleVideoGrad", operand: "visible", ...rows, result: "gradVideo", untouched: [0, 4] },
    others: gradientOf,
  },
  {
    ...{ op: "embedVisibleVideoGrad", operand: "window", ...windows, result: "gradVideo" },
    untouched: [3 * 4 * 64, 2 * 3 * 4 * 64],
    others: () => ({ ...gradientOf(), side: 8 }),
  },
  ...["visible", "decoded"].map(
    (operand): Indexed => ({
      ...{ op: "assembleDecoder", operand, ...rows, result: "y", untouched: [0, width] },
      others: assembly,
    }),
  ),
  ...["visible", "decoded"].map(
    (operand): Indexed => ({
      ...{ op: "maskedPixelLoss", operand, ...rows, result: "tokenLoss", untouched: [0, 1] },
      others: lossOf,
    }),
  ),
  {
    ...{ op: "maskedPixelLoss", operand: "window", ...windows, result: "tokenLoss", untouched: [count, 2 * count] },
    others: () => ({ ...lossOf(), side: 8 }),
  },
  ...["visible", "decoded"].map(
    (operand): Indexed => ({
      ...{ op: "maskedPixelLossBackward", operand, ...rows, result: "gradPrediction", untouched: [0, columns] },
      others: backwardOf,
    }),
  ),
  {
    ...{ op: "maskedPixelLossBackward", operand: "window", ...windows, result: "gradPrediction" },
    untouched: [count * columns, 2 * count * columns],
    others: () => ({ ...backwardOf(), side: 8 }),
  },
  {
    ...{ op: "pixelTargets", operand: "decoded", ...rows, result: "y", untouched: [0, columns] },
    others: () => ({ video: bytes(), ...cubes }),
  },
  {
    ...{ op: "pixelTargets", operand: "window", ...windows, result: "y" },
    untouched: [count * columns, 2 * count * columns],
    others: () => ({ video: bytes(), ...cubes, decoded: i32(names, [clips, count]), side: 8 }),
  },
  ...["crossEntropy", "crossEntropyBackward"].map(
    (op): Indexed => ({
      ...{ op, operand: "target", good: [1, 4], shape: [clips], limit: 5 },
      result: op === "crossEntropy" ? "logSumExp" : "gradLogits",
      untouched: op === "crossEntropy" ? [0, 1] : [0, 5],
      others: () => {
        const { logits, logSumExp, gradLoss } = scores();
        return op === "crossEntropy" ? { logits } : { logits, logSumExp, gradLoss };
      },
    }),
  ),
];

describe.skipIf(!hasEmulator)("an index out of range on a device", () => {
  it.each(ops)("$op, $operand", ({ op, operand, good, shape, limit, others, result, untouched }) => {
    scope(() => {
      const run = (values: readonly number[]) => nativeOp(op, { ...others(), [operand]: i32(values, shape) })[result];
      const expected = run(good)
        .readSync()
        .slice(...untouched);
      for (const wild of [limit, -1, 2 ** 31 - 1, -(2 ** 31)]) {
        const y = run(good.map((value, i) => (i === 1 ? wild : value)));
        expect(() => y.readSync()).toThrow(`${op}: expected indices in range; got one out of range on emu`);
        expect(y.readSync().slice(...untouched)).toEqual(expected); // said once
      }
    });
  });
});
