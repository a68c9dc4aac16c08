// The graph of a classifier or feature extractor (spec 1.3 to 1.7) in ONNX operators. Parameters keep their names, shapes
// and bits. Between the patch embedding and the pooling the tokens of all clips are the rows of one matrix, so that every
// linear layer is one Gemm. B clips, N tokens, D width, H heads, K head width.

import { imageNetMean, imageNetStd } from "../models/pixel-statistics.js";
import { publishedGrid, tokenGrid } from "../models/sizes.js";
import { MAXIMAL_LOG_SCALE } from "../nn/attention.js";
import { positionValues } from "../nn/position-table.js";
import type { StoredClassifier } from "../weights/stored-model.js";
import { OnnxGraph } from "./onnx-graph.js";

export interface ClassifierGraphOptions {
  /** "f32": (B, 3, T, S, S), normalised. "u8": (B, T, S, S, 3) as decoded, normalised in the graph. */
  readonly input: "f32" | "u8";
  /** "logits": (B, classes), before any softmax. "features": (B, D), what the head sees. */
  readonly output: "logits" | "features";
}

/** Rows of a cosine attention are divided by their length, or this where it is less. */
const LEAST_LENGTH = 1e-12;

/** The graph of a model; its input is called "video", its output as in the options. */
export function classifierGraph(model: StoredClassifier, { input, output }: ClassifierGraphOptions): OnnxGraph {
  const graph = new OnnxGraph();
  const { width, depth, classes } = model.config;
  const writer = new LayerWriter(graph, model);
  let x = writer.embed(input === "u8" ? writer.bytesInput() : writer.floatsInput()); // (B·N, D)
  for (let i = 0; i < depth; i++) x = writer.block(x, `blocks.${i}`);
  const features = writer.pool(x); // (B, D)
  if (output === "features") graph.output("features", features, [BATCH, width]);
  else graph.output("logits", writer.linear(features, "head"), [BATCH, classes]);
  return graph;
}

/** The number of clips, known when the graph runs. */
const BATCH = "batch";

class LayerWriter {
  readonly #graph: OnnxGraph;
  readonly #model: StoredClassifier;
  readonly #shapes: ReadonlyMap<string, readonly number[]>;
  readonly #tokens: number;

  constructor(graph: OnnxGraph, model: StoredClassifier) {
    this.#graph = graph;
    this.#model = model;
    this.#shapes = new Map(model.parameters);
    const { t, h, w } = tokenGrid(model.config);
    this.#tokens = t * h * w;
  }

  /** (B, 3, T, S, S) */
  floatsInput(): string {
    const { frames, image } = this.#model.config;
    return this.#graph.input("video", "f32", [BATCH, 3, frames, image, image]);
  }

  /** u8 (B, T, S, S, 3) -> (B, 3, T, S, S): (pixel / 255 - mean) / std. */
  bytesInput(): string {
    const graph = this.#graph;
    const { frames, image } = this.#model.config;
    const { mean = imageNetMean, std = imageNetStd } = this.#model.preprocessing;
    const perChannel = (name: string, values: readonly number[]) =>
      graph.floats(name, [3, 1, 1, 1], () => Float32Array.from(values));
    const bytes = graph.input("video", "u8", [BATCH, frames, image, image, 3]);
    const pixels = graph.op("Transpose", [graph.op("Cast", [bytes], { to: 1 })], { perm: [0, 4, 1, 2, 3] });
    const scaled = graph.op("Div", [pixels, graph.number(255)]);
    return graph.op("Div", [graph.op("Sub", [scaled, perChannel("mean", mean)]), perChannel("std", std)]);
  }

  /** (B, 3, T, S, S) -> (B·N, D): a convolution whose kernel equals its stride, and the positional table. */
  embed(video: string): string {
    const graph = this.#graph;
    const { config, position } = this.#model;
    const { tubelet, patch, width } = config;
    const sides = [tubelet, patch, patch];
    const [weight, bias] = this.#parameters("patch_embed.proj");
    const cubes = graph.op("Conv", [video, weight, bias], { kernel_shape: sides, strides: sides }); // (B, D, t, h, w)
    const flat = graph.op("Reshape", [cubes, graph.integers([-1, width, this.#tokens])]);
    const tokens = graph.op("Transpose", [flat], { perm: [0, 2, 1] }); // (B, N, D)
    const base = tokenGrid(publishedGrid(config));
    const table = graph.floats("position", [this.#tokens, width], () =>
      Float32Array.from(positionValues(tokenGrid(config), width, position, base)),
    );
    return this.#reshape(graph.op("Add", [tokens, table]), [-1, width]);
  }

  /** (B·N, D) -> (B·N, D): x + g1 * Attention(LN(x)), then x + g2 * MLP(LN(x)). */
  block(x: string, name: string): string {
    const { normEps } = this.#model.config;
    const attended = this.attention(this.norm(x, `${name}.norm1`, normEps), `${name}.attn`);
    const x1 = this.#graph.op("Add", [x, this.#scaled(attended, `${name}.gamma_1`)]);
    const hidden = this.gelu(this.linear(this.norm(x1, `${name}.norm2`, normEps), `${name}.mlp.fc1`));
    return this.#graph.op("Add", [x1, this.#scaled(this.linear(hidden, `${name}.mlp.fc2`), `${name}.gamma_2`)]);
  }

  /** (B·N, D) -> (B·N, D) */
  attention(x: string, name: string): string {
    const graph = this.#graph;
    const { width, heads, cosineAttention } = this.#model.config;
    const qkv = graph.op("Gemm", [x, this.#parameter(`${name}.qkv.weight`), this.#packedBias(name)], { transB: 1 });
    const parts = graph.ops("Split", 3, [qkv], { axis: 1 });
    const apart = [this.#tokens, heads, width / heads];
    const byHead = (part: string) =>
      graph.op("Transpose", [this.#reshape(part, [-1, ...apart])], { perm: [0, 2, 1, 3] }); // (B, H, N, K)
    const [q, k, v] = parts.map(byHead);
    const [left, right, scale] = cosineAttention
      ? [this.#unit(q), this.#unit(k), this.#logitScale(name)]
      : [q, k, graph.number((width / heads) ** -0.5)];
    const query = graph.op("Mul", [left, scale]);
    const scores = graph.op("MatMul", [query, graph.op("Transpose", [right], { perm: [0, 1, 3, 2] })]); // (B, H, N, N)
    const mixed = graph.op("MatMul", [graph.op("Softmax", [scores], { axis: -1 }), v]);
    const joined = graph.op("Transpose", [mixed], { perm: [0, 2, 1, 3] }); // (B, N, H, K)
    return this.linear(this.#reshape(joined, [-1, width]), `${name}.proj`);
  }

  /** The exact GELU, x/2 * (1 + erf(x / sqrt 2)). */
  gelu(x: string): string {
    const graph = this.#graph;
    const erf = graph.op("Erf", [graph.op("Div", [x, graph.number(Math.SQRT2)])]);
    return graph.op("Mul", [graph.op("Mul", [x, graph.number(0.5)]), graph.op("Add", [erf, graph.number(1)])]);
  }

  /** (B·N, D) -> (B, D) */
  pool(x: string): string {
    const graph = this.#graph;
    const { width, norm, pooling, normEps, pooledNormEps } = this.#model.config;
    const rows = norm === "tokens" ? this.norm(x, "norm", normEps) : x;
    const tokens = this.#reshape(rows, [-1, this.#tokens, width]); // (B, N, D)
    const pooled =
      pooling === "mean"
        ? graph.op("ReduceMean", [tokens], { axes: [1], keepdims: 0 })
        : this.#reshape(graph.op("Gather", [tokens, graph.integers([0])], { axis: 1 }), [-1, width]);
    return norm === "pooled" ? this.norm(pooled, "fc_norm", pooledNormEps) : pooled;
  }

  /** (n, in) -> (n, out) */
  linear(x: string, name: string): string {
    return this.#graph.op("Gemm", [x, ...this.#parameters(name)], { transB: 1 });
  }

  /** (n, D) -> (n, D) */
  norm(x: string, name: string, eps: number): string {
    return this.#graph.op("LayerNormalization", [x, ...this.#parameters(name)], { axis: -1, epsilon: { float: eps } });
  }

  #reshape(x: string, shape: readonly number[]): string {
    return this.#graph.op("Reshape", [x, this.#graph.integers(shape)]);
  }

  /** Multiplied by a layer scale where the model has one. */
  #scaled(x: string, gamma: string): string {
    return this.#shapes.has(gamma) ? this.#graph.op("Mul", [x, this.#parameter(gamma)]) : x;
  }

  /** Rows of length 1. */
  #unit(x: string): string {
    const graph = this.#graph;
    const length = graph.op("ReduceL2", [x], { axes: [-1], keepdims: 1 });
    return graph.op("Div", [x, graph.op("Max", [length, graph.number(LEAST_LENGTH)])]);
  }

  /** (H, 1, 1): what multiplies the cosines of a head. */
  #logitScale(name: string): string {
    const { heads } = this.#model.config;
    return this.#graph.floats(`${name}.logit_scale`, [heads, 1, 1], () =>
      this.#model.read(`${name}.scale`).map((scale) => Math.exp(Math.min(scale, MAXIMAL_LOG_SCALE))),
    );
  }

  /** (3D): q_bias, zeros, v_bias; left out where the model has none. */
  #packedBias(name: string): string {
    const { width, qkvBias } = this.#model.config;
    if (!qkvBias) return "";
    return this.#graph.floats(`${name}.qkv.bias`, [3 * width], () => {
      const packed = new Float32Array(3 * width);
      packed.set(this.#model.read(`${name}.q_bias`), 0);
      packed.set(this.#model.read(`${name}.v_bias`), 2 * width);
      return packed;
    });
  }

  #parameter(name: string): string {
    return this.#graph.floats(name, this.#shapes.get(name)!, () => this.#model.read(name));
  }

  #parameters(name: string): string[] {
    return [this.#parameter(`${name}.weight`), this.#parameter(`${name}.bias`)];
  }
}
