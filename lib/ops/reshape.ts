// Another shape for the same elements, in row-major order. Costs nothing: the result shares the memory.
import { defineOp } from "../autograd/define-op.js";
import { VideomaeError } from "../errors.js";
import type { Tensor } from "../tensor/tensor.js";

/**
 * x with another shape of as many elements; one size may be -1 and is then worked out. Any dtype. The result shares
 * x's memory.
 * @throws VideomaeError when the numbers of elements differ
 */
export const reshape: (x: Tensor, shape: readonly number[]) => Tensor = defineOp("reshape", (_save, x, shape) => {
  const from = x.shape;
  return [x.view(resolved(x, shape)), (gradY) => [gradY.view(from)]];
});

function resolved(x: Tensor, shape: readonly number[]): readonly number[] {
  const known = shape.reduce((product, size) => (size === -1 ? product : product * size), 1);
  const open = shape.filter((size) => size === -1).length;
  const rest = open === 1 && known > 0 ? x.size / known : -1;
  const result = open === 1 ? shape.map((size) => (size === -1 ? rest : size)) : shape;
  if (open > 1 || result.some((size) => !Number.isInteger(size) || size < 0) || (open === 0 && known !== x.size)) {
    throw new VideomaeError({
      op: "reshape",
      expected: `a shape of ${x.size} elements, like ${x}`,
      got: `[${shape.join(", ")}]`,
      hint: "at most one size may be -1, and the others must divide the number of elements",
    });
  }
  return result;
}
