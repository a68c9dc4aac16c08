// The ops, all differentiable unless they say otherwise.

export { type AffineMap, type AffineOptions, affine } from "./affine.js";
export { assembleDecoder } from "./assemble-decoder.js";
export { attention } from "./attention.js";
export { add, div, maximum, minimum, mul, type Operand, pow, sub } from "./binary.js";
export { cast } from "./cast.js";
export { cat, stack } from "./cat.js";
export { type ColorKind, colorTransform } from "./color-transform.js";
export { type CropBox, cropResize } from "./crop-resize.js";
export { type CrossEntropyOptions, crossEntropy } from "./cross-entropy.js";
export { type DropoutOptions, dropout, dropPath } from "./dropout.js";
export { embedVisible } from "./embed-visible.js";
export { frameToRgb, type Orientation, type StoredLayout } from "./frame-to-rgb.js";
export { gatherTokens, scatterTokens } from "./gather-tokens.js";
export { addLayerNorm, type LayerNormOptions, layerNorm } from "./layer-norm.js";
export { type LinearOptions, linear, packWeight } from "./linear.js";
export { maskedPixelLoss, type PixelLossTargets, pixelTargets, tokenLosses } from "./masked-pixel-loss.js";
export { type MatmulOptions, matmul } from "./matmul.js";
export { mixClips } from "./mix-clips.js";
export { type MlpLayer, mlp } from "./mlp.js";
export { permute, transpose } from "./permute.js";
export {
  fill,
  fillNormal,
  fillTruncatedNormal,
  fillUniform,
  type NormalOptions,
  type RandomFillKey,
  type TruncatedNormalOptions,
  type UniformOptions,
} from "./random.js";
export { reshape } from "./reshape.js";
export { type InterpolateOptions, interpolate, resizeLinear } from "./resize.js";
export { pad, slice } from "./slice.js";
export { type DistillationOptions, distillationLoss, softCrossEntropy } from "./soft-cross-entropy.js";
export { logSoftmax, softmax } from "./softmax.js";
export { expand, mean, type ReductionOptions, sum } from "./sum.js";
export { toDevice } from "./to-device.js";
export { abs, exp, gelu, log, neg, relu, sigmoid, sign, sqrt, square, tanh } from "./unary.js";
