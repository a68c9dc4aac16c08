// What is trained on the features of a frozen encoder to see what they hold: a linear layer on the pooled vector, or one block
// of attention with a learnt query over all tokens and a linear layer. Computes in f32 whatever the encoder computed in.
import { VideomaeError } from "../errors.js";
import { AttentivePooling } from "../nn/attentive-pooling.js";
import { truncatedNormal } from "../nn/initializers.js";
import { LayerNorm } from "../nn/layer-norm.js";
import { Linear } from "../nn/linear.js";
import { Module } from "../nn/module.js";
import type { Device } from "../tensor/dtype.js";
import { scope } from "../tensor/scope.js";
import { keep, type Tensor } from "../tensor/tensor.js";

/** Everything that decides the parameters of a probe. */
export interface ProbeConfig {
  /** What it looks at: "linear" a vector a clip (B, D), "attentive" all tokens (B, N, D). */
  readonly kind: "linear" | "attentive";
  /** Of the encoder, D. */
  readonly width: number;
  /** Of the attention; of no account in a linear probe. */
  readonly heads: number;
  /** Hidden width of the attentive probe's MLP. */
  readonly hidden: number;
  readonly classes: number;
}

/** @throws VideomaeError for a description that cannot be */
export function checkProbeConfig(description: object): ProbeConfig {
  const config = description as ProbeConfig;
  const fail = (field: string, expected: string): never => {
    throw new VideomaeError({ op: `probe ${field}`, expected, got: `${config[field as keyof ProbeConfig]}` });
  };
  if (!["linear", "attentive"].includes(config.kind)) fail("kind", "linear or attentive");
  for (const field of ["width", "heads", "hidden", "classes"] as const) {
    if (!Number.isSafeInteger(config[field]) || config[field] < 1) fail(field, "an integer of at least 1");
  }
  if (config.width % config.heads !== 0) fail("heads", `a divisor of the width ${config.width}`);
  return config;
}

export class ProbeModel extends Module {
  readonly config: ProbeConfig;
  /** (B, N, D) -> (B, D); in an attentive probe. */
  readonly pooling: AttentivePooling | undefined;
  /** In a linear probe: features of any scale are learnt from alike. */
  readonly norm: LayerNorm | undefined;
  readonly head: Linear;

  constructor(config: ProbeConfig, { seed = 0, device = "cpu" }: { seed?: number; device?: Device } = {}) {
    super();
    const { kind, width, heads, hidden, classes } = checkProbeConfig(config);
    this.config = config;
    if (kind === "attentive") this.pooling = this.child("pooling", new AttentivePooling(width, heads, hidden));
    else this.norm = this.child("norm", new LayerNorm(width));
    this.head = this.child("head", new Linear(width, classes, { weight: truncatedNormal(0.02, 2) }));
    this.materialize({ seed, device });
  }

  /**
   * @param features  f32 (B, D), or (B, N, D) in an attentive probe
   * @returns class scores (B, K)
   */
  forward(features: Tensor): Tensor {
    return scope(() => {
      const pooled = this.pooling?.forward(features) ?? this.norm!.forward(features);
      return keep(this.head.forward(pooled));
    });
  }
}
