// The shapes that both systems are measured at. bench/shapes.json, which is part of the package, is the one list;
// bench/peers/shapes.py reads it too.
import { readFileSync } from "node:fs";
import path from "node:path";
import { packageRoot } from "../manifest.js";

/** Attention of so many clips and heads over N tokens. */
export interface AttentionShape {
  readonly name: string;
  readonly clips: number;
  readonly heads: number;
  readonly tokens: number;
  readonly headWidth: number;
}

/** C (m, n) = A (m, k) B (k, n). */
export interface ProductShape {
  readonly name: string;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly layout: "nn" | "nt" | "tn";
}

/** y (m, n) = x (m, k) W (n, k)^T, which stands for three products. */
export interface LayerShape extends Omit<ProductShape, "layout"> {
  /** False where the layer's input is pixels, which need no gradient. */
  readonly inputGradient?: boolean;
}

interface Shapes {
  readonly attention: Record<"quick" | "cpu" | "cuda", AttentionShape[]>;
  readonly gemm: Record<"quick" | "cpu" | "ceiling", ProductShape[]> & { readonly layers: LayerShape[] };
}

let read: Shapes | undefined;

/** Read when it is first asked for: whoever imports the package mostly measures nothing. */
function shapes(): Shapes {
  read ??= JSON.parse(readFileSync(path.join(packageRoot, "bench", "shapes.json"), "utf8")) as Shapes;
  return read;
}

export const attentionShapes = (quick: boolean, device: "cpu" | "cuda" = "cpu"): AttentionShape[] =>
  shapes().attention[quick ? "quick" : device];

export const gemmShapes = (quick: boolean): ProductShape[] => shapes().gemm[quick ? "quick" : "cpu"];

/** What the matrix units of a GPU reach. */
export const ceilingProduct = (): ProductShape => shapes().gemm.ceiling[0];

/** The layers of the models at 32 clips, for GPUs. */
export const layerShapes = (): LayerShape[] => shapes().gemm.layers;

/** The products of a layer: forward, gradient of the input, gradient of the weight. */
export function layerProducts({ name, m, n, k, inputGradient = true }: LayerShape): ProductShape[] {
  const input: ProductShape[] = inputGradient ? [{ name: `${name}, input gradient`, m, n: k, k: n, layout: "nn" }] : [];
  return [
    { name, m, n, k, layout: "nt" },
    ...input,
    { name: `${name}, weight gradient`, m: n, n: k, k: m, layout: "tn" },
  ];
}
