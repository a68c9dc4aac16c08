// The rows that docs/performance.md shows, whether or not anybody has measured them yet.
import { attentionShapes, ceilingProduct, gemmShapes, layerProducts, layerShapes } from "#lib/bench/shapes.js";

/** The work of a wanted row: the fields a measured row must have. Rows of a CPU are shown for every number of threads. */
export type Wanted = { readonly label: string; readonly fields: Readonly<Record<string, unknown>> };

export interface WantedTable {
  readonly title: string;
  readonly rows: readonly Wanted[];
}

const passes = ["forward", "forward+backward"] as const;
const step = (device: string, model: string, clips: number, dtype: string, label: string, ratio = 0.5): Wanted => ({
  label,
  fields: { bench: "step", device, model, clips, dtype, decoderMaskRatio: ratio },
});

function attention(device: "cpu" | "cuda", dtype: string): Wanted[] {
  return attentionShapes(false, device).flatMap(({ name, ...shape }) =>
    passes.map((pass) => ({
      label: `${name} (${shape.clips}, ${shape.heads}, ${shape.tokens}, ${shape.headWidth}), ${dtype}, ${pass}`,
      fields: { bench: "attention", device, dtype, pass, ...shape },
    })),
  );
}

function products(dtype: string): Wanted[] {
  return gemmShapes(false).map(({ name, ...shape }) => ({
    label: `${name} ${shape.m} x ${shape.n} x ${shape.k} ${shape.layout}, ${dtype}`,
    fields: { bench: "gemm", device: "cpu", dtype, ...shape },
  }));
}

/** All three products of the widest layer of each encoder, and the forward product of the others. */
function layers(): Wanted[] {
  return layerShapes()
    .flatMap((layer) => layerProducts(layer).slice(0, layer.name.endsWith("encoder fc1") ? 3 : 1))
    .map(({ name, ...shape }) => ({
      label: `${name} ${shape.m} x ${shape.n} x ${shape.k} ${shape.layout}`,
      fields: { bench: "gemm", device: "cuda", dtype: "bf16", ...shape },
    }));
}

function classifier(dtype: string): Wanted {
  const fields = { bench: "classifier", device: "cpu", model: "vit-base", clips: 1, dtype, pass: "forward" };
  return { label: `ViT-B, 1 clip of 1568 tokens, ${dtype}`, fields };
}

function bandwidth(device: string, op: string, dtype: string, pass: string, shape: number[]): Wanted {
  const fields = { bench: "bandwidth", device, op, dtype, pass, shape };
  return { label: `${op} ${shape.join(" x ")}, ${dtype}, ${pass}`, fields };
}

const cuda = ["vit-small", "vit-base", "vit-large", "vit-huge", "vit-giant"];
const { name: _, ...square } = ceilingProduct();

export const wantedTables: readonly WantedTable[] = [
  {
    title: "CPU: training step, dual masking",
    rows: ["f32", "bf16"].flatMap((dtype) => [
      step("cpu", "vit-small", 2, dtype, `ViT-S, 2 clips, ${dtype}`),
      step("cpu", "vit-small", 8, dtype, `ViT-S, 8 clips, ${dtype}`),
      step("cpu", "vit-small", 8, dtype, `ViT-S, 8 clips, encoder mask only, ${dtype}`, 0),
      step("cpu", "vit-base", 2, dtype, `ViT-B, 2 clips, ${dtype}`),
    ]),
  },
  { title: "CPU: classifier, forward", rows: ["f32", "bf16"].map(classifier) },
  { title: "CPU: dense products", rows: ["f32", "bf16"].flatMap(products) },
  { title: "CPU: attention", rows: ["f32", "bf16"].flatMap((dtype) => attention("cpu", dtype)) },
  {
    title: "GPU: training step, dual masking, 32 clips",
    rows: cuda.map((model) => step("cuda", model, 32, "bf16", `${model}, bf16`)),
  },
  {
    title: "GPU: ceilings",
    rows: [
      bandwidth("cuda", "copy", "f32", "forward", [1 << 30]),
      { label: "8192 x 8192 x 8192 nt, bf16", fields: { bench: "gemm", device: "cuda", dtype: "bf16", ...square } },
    ],
  },
  { title: "GPU: attention", rows: attention("cuda", "bf16") },
  { title: "GPU: dense products of the layers, 32 clips, bf16", rows: layers() },
  {
    title: "GPU: bound by memory",
    rows: [
      ...[
        [5120, 768],
        [6656, 1408],
        [30208, 384],
        [30208, 512],
      ].flatMap((shape) => passes.map((pass) => bandwidth("cuda", "layerNorm", "bf16", pass, shape))),
      bandwidth("cuda", "adamw", "f32", "forward", [94_212_864]),
    ],
  },
];
