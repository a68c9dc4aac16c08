// The classification loss against distributions instead of classes: labels that were mixed, or a teacher's opinion.
import { rejectUnknownOptions, VideomaeError } from "../errors.js";
import { scope } from "../tensor/scope.js";
import { keep, type Tensor } from "../tensor/tensor.js";
import { mul, sub } from "./binary.js";
import { cast } from "./cast.js";
import { logSoftmax, softmax } from "./softmax.js";
import { mean, sum } from "./sum.js";

/** Class scores in the type in which losses are computed, checked to be (B, K). */
function wideScores(op: string, operand: string, logits: Tensor): Tensor {
  if (logits.rank !== 2 || logits.size === 0) {
    throw new VideomaeError({ op, expected: `${operand} of shape [B, K], not empty`, got: `${logits}` });
  }
  return logits.dtype === "bf16" ? cast(logits, "f32") : logits;
}

function checkLike(op: string, operand: string, x: Tensor, like: Tensor): void {
  if (x.shape.join() === like.shape.join()) return;
  throw new VideomaeError({ op, expected: `${operand} of shape [${like.shape.join(", ")}]`, got: `${x}` });
}

/**
 * The mean over rows of -sum_k target_k log(softmax(logits)_k).
 * @param logits  (B, K), f32, f64 or bf16
 * @param target  (B, K), distributions: f32, or f64 for f64 logits; no gradient flows to it
 * @returns a scalar, f32 or f64
 * @throws VideomaeError when shapes or dtypes do not agree
 */
export function softCrossEntropy(logits: Tensor, target: Tensor): Tensor {
  return scope(() => {
    const scores = wideScores("softCrossEntropy", "logits", logits);
    checkLike("softCrossEntropy", "target", target, logits);
    return keep(mul(mean(sum(mul(logSoftmax(scores), target), { axes: [1] })), -1));
  });
}

/** Options of distillationLoss. */
export interface DistillationOptions {
  /** Divides both score vectors before the softmax; default 1. */
  readonly temperature?: number;
  /** Multiplies by the square of the temperature, which keeps gradients as large as without one. Default true. */
  readonly scaled?: boolean;
}

/**
 * How far a student's opinion is from its teacher's: the mean over rows of KL(teacher || student) of the softened
 * distributions (Hinton et al. 2015; spec 9.2).
 * @param student  class scores (B, K), f32, f64 or bf16
 * @param teacher  class scores (B, K), likewise; no gradient flows to them
 * @returns a scalar, 0 or more, f32 or f64
 * @throws VideomaeError when student and teacher have different classes, or the temperature is not above 0
 */
export function distillationLoss(student: Tensor, teacher: Tensor, options: DistillationOptions = {}): Tensor {
  const op = "distillationLoss";
  rejectUnknownOptions(op, options, ["temperature", "scaled"]);
  const { temperature = 1, scaled = true } = options;
  if (!(temperature > 0 && Number.isFinite(temperature))) {
    throw new VideomaeError({ op, expected: "a temperature above 0", got: `${temperature}` });
  }
  return scope(() => {
    const own = logSoftmax(mul(wideScores(op, "student", student), 1 / temperature));
    checkLike(op, "teacher", teacher, student);
    const soft = mul(wideScores(op, "teacher", teacher), 1 / temperature);
    const target = softmax(soft);
    const divergence = sum(mul(target, sub(logSoftmax(soft), own)), { axes: [1] });
    return keep(mul(mean(divergence), scaled ? temperature ** 2 : 1));
  });
}
