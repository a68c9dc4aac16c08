// Element-wise ops of two operands, broadcast against each other as in NumPy: shapes are aligned at their last axes, and
// axes of size 1 or missing ones repeat. Operands are f32 or f64, both the same; one of them may be a number.
// Cost: one pass of memory. Gradients are summed over the axes along which an operand was repeated.
import { defineOp } from "../autograd/define-op.js";
import { VideomaeError } from "../errors.js";
import { nativeOp } from "../tensor/native-op.js";
import { Tensor } from "../tensor/tensor.js";
import { sumTo } from "./sum-to.js";

/** A tensor, or a number that takes the dtype of the other operand. */
export type Operand = Tensor | number;

type Kind = "add" | "sub" | "mul" | "div" | "maximum" | "minimum" | "pow";

function pair(kind: Kind, a: Operand, b: Operand): { a: Tensor; b: Tensor } {
  if (typeof a === "number" && typeof b === "number") {
    throw new VideomaeError({ op: kind, expected: "a tensor as one of the operands", got: "two numbers" });
  }
  const { dtype, device } = typeof a === "number" ? (b as Tensor) : a;
  const tensorOf = (x: Operand) => (typeof x === "number" ? Tensor.fromArray([x], [], dtype, device) : x);
  return { a: tensorOf(a), b: tensorOf(b) };
}

/** The gradients of the operands that are tensors, in order. */
function tensorsOnly(a: Operand, b: Operand, gradA: Tensor | undefined, gradB: Tensor | undefined) {
  return [...(typeof a === "number" ? [] : [gradA]), ...(typeof b === "number" ? [] : [gradB])];
}

function needsOf(a: Operand, b: Operand, needs: readonly boolean[]): [boolean, boolean] {
  return [typeof a !== "number" && needs[0], typeof b !== "number" && needs[typeof a === "number" ? 0 : 1]];
}

/** add and sub save nothing: their gradients are gradY itself, up to sign. */
function defineLinear(kind: "add" | "sub") {
  return defineOp(kind, (_save, a: Operand, b: Operand) => {
    const operands = pair(kind, a, b);
    const [shapeA, shapeB] = [operands.a.shape, operands.b.shape];
    return [
      nativeOp("binary", { kind, ...operands }).y,
      (gradY, needs) => {
        const [needsA, needsB] = needsOf(a, b, needs);
        const gradA = needsA ? sumTo(gradY, shapeA) : undefined;
        const sumB = needsB ? sumTo(gradY, shapeB) : undefined;
        const gradB = sumB && kind === "sub" ? nativeOp("unary", { kind: "neg", x: sumB }).y : sumB;
        return tensorsOnly(a, b, gradA, gradB);
      },
    ];
  });
}

function defineNonlinear(kind: Exclude<Kind, "add" | "sub">) {
  return defineOp(kind, (save, a: Operand, b: Operand) => {
    const operands = pair(kind, a, b);
    const saved = save(operands);
    return [
      nativeOp("binary", { kind, ...operands }).y,
      (gradY, needs) => {
        const { a: savedA, b: savedB } = saved();
        const [needsA, needsB] = needsOf(a, b, needs);
        const skip = [...(needsA ? [] : ["gradA"]), ...(needsB ? [] : ["gradB"])];
        const { gradA, gradB } = nativeOp("binaryBackward", { kind, gradY, a: savedA, b: savedB }, skip);
        return tensorsOnly(a, b, gradA && sumTo(gradA, savedA.shape), gradB && sumTo(gradB, savedB.shape));
      },
    ];
  });
}

/** a + b. */
export const add = defineLinear("add");

/** a - b. */
export const sub = defineLinear("sub");

/** a * b, element by element. */
export const mul = defineNonlinear("mul");

/** a / b. */
export const div = defineNonlinear("div");

/** The greater of a and b; NaN when either is. Where they are equal, each gets half of the gradient. */
export const maximum = defineNonlinear("maximum");

/** The smaller of a and b; NaN when either is. Where they are equal, each gets half of the gradient. */
export const minimum = defineNonlinear("minimum");

/** a to the power of b. The gradient with respect to b is 0 where a = 0 and b >= 0, and NaN where a < 0. */
export const pow = defineNonlinear("pow");
