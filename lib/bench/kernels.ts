// Times of the kernels that a step is made of, through the package's ops: dense products and attention, at the shapes of
// the models. They are run as a step runs them, from planned memory and on a device from a captured graph, on operands of
// random numbers, since zeros run faster than data.
import { compileStep } from "../autograd/compile-step.js";
import { matmul } from "../ops/matmul.js";
import { fillUniform } from "../ops/random.js";
import { synchronize } from "../tensor/devices.js";
import { nativeOp } from "../tensor/native-op.js";
import { scope } from "../tensor/scope.js";
import { Tensor } from "../tensor/tensor.js";
import { type MeasuredOn, ourFields } from "./measured-on.js";
import type { TimedRow } from "./row.js";
import type { AttentionShape, ProductShape } from "./shapes.js";
import { perSecond, type Repeats, type Times, timeCalls } from "./time-calls.js";

/** On a device a graph holds at least so many calls, on operands that are together larger than its caches. */
const CALLS_IN_GRAPH = 12;
const BEYOND_CACHES = 2e8;
const MOST_SETS = 12;
/** The third call of a compiled step is captured. */
const PLANNED = 3;

/** A product C (m, n) = A (m, k) B (k, n); 2 m n k operations. */
export function measureProduct(on: MeasuredOn, shape: ProductShape, repeats: Repeats): TimedRow {
  const { name, m, n, k, layout } = shape;
  const [transposeA, transposeB] = [layout[0] === "t", layout[1] === "t"];
  const shapes = [transposeA ? [k, m] : [m, k], transposeB ? [n, k] : [k, n]];
  const call = ([a, b]: readonly Tensor[]) => void matmul(a, b, { transposeA, transposeB });
  const times = timeKernel(on, shapes, call, repeats);
  const gflopPerSecond = perSecond(2 * m * n * k, times.medianMs, 1e9);
  return { bench: "gemm", ...ourFields(on, { graph: true }), name, m, n, k, layout, ...times, gflopPerSecond };
}

/** Attention forward: 4 N^2 d operations a head; with its backward 10 N^2 d more, whatever the kernel computes again. */
export function measureAttention(
  on: MeasuredOn,
  shape: AttentionShape,
  pass: "forward" | "forward+backward",
  repeats: Repeats,
): TimedRow {
  const { name, clips, heads, tokens, headWidth } = shape;
  const width = heads * headWidth;
  const shapes = [
    [clips, tokens, 3 * width],
    [clips, tokens, width],
  ];
  const call = ([qkv, gradY]: readonly Tensor[]) => {
    const { y, lse } = nativeOp("attention", { qkv, heads });
    if (pass === "forward+backward") nativeOp("attentionBackward", { gradY, qkv, y, lse, heads });
  };
  const times = timeKernel(on, shapes, call, repeats);
  const each = pass === "forward" ? 4 : 14;
  return {
    bench: "attention",
    ...ourFields(on, { graph: true }),
    ...{ name, pass, clips, heads, tokens, headWidth },
    ...times,
    gflopPerSecond: perSecond(each * clips * heads * tokens ** 2 * headWidth, times.medianMs, 1e9),
  };
}

/** Times of one `call` on operands of the given shapes. */
function timeKernel(
  { device, dtype }: MeasuredOn,
  shapes: readonly (readonly number[])[],
  call: (operands: readonly Tensor[]) => void,
  repeats: Repeats,
): Times {
  const elements = shapes.reduce((sum, shape) => sum + shape.reduce((product, side) => product * side, 1), 0);
  const enough = Math.ceil(BEYOND_CACHES / (elements * (dtype === "bf16" ? 2 : 4)));
  const sets = device === "cpu" ? 1 : Math.min(Math.max(enough, 2), MOST_SETS);
  const rounds = device === "cpu" ? 1 : Math.ceil(CALLS_IN_GRAPH / sets);
  return scope(() => {
    const operands = Array.from({ length: sets }, (_, set) =>
      shapes.map((shape, i) => {
        const operand = Tensor.zeros([...shape], dtype, device);
        fillUniform(operand, { seed: set, stream: i, low: -1, high: 1 });
        return operand;
      }),
    );
    using step = compileStep(
      () => {
        scope(() => {
          for (let round = 0; round < rounds; round++) for (const set of operands) scope(() => call(set));
        });
        return {};
      },
      { device },
    );
    const run = () => {
      step({});
      if (device !== "cpu") synchronize(device);
    };
    return timeCalls(run, PLANNED, repeats, sets * rounds);
  });
}
