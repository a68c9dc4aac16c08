#!/usr/bin/env node
// Renders docs/models.md from the code: parameters, tokens, work and memory of every registered size. No figure is typed
// by hand, and test/docs/models-page.test.ts fails when the page is not what the code gives.
//
//   npm run docs:models
import { writeFileSync } from "node:fs";
import path from "node:path";
import {
  dualMask,
  forecastMemory,
  modelSizes,
  multiplyAdds,
  parameterShapes,
  parsePretrainConfig,
  tokenGrid,
  trainingFlops,
} from "videomae";

export const modelsPage = path.join(import.meta.dirname, "..", "docs", "models.md");

/** Clips of a batch whose memory is forecast. */
const CLIPS = 8;

const count = (value) => value.toLocaleString("en-US");
const giga = (value) => (value / 1e9).toPrecision(value < 1e9 ? 2 : 4);
const gigabytes = (value) => (value / 1e9).toPrecision(3);

/** A Markdown table: a header, and rows of cells. */
function table(header, rows) {
  return [header, header.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

const models = Object.entries(modelSizes).map(([full, config]) => {
  const name = full.replace("vit-", "");
  const grid = tokenGrid(config);
  const masks = (decoder) => dualMask({ encoder: { kind: "tube", ratio: 0.9 }, decoder, grid }).counts;
  return { name, config, grid, dual: masks({ kind: "running-cell", ratio: 0.5 }), single: masks({ kind: "none" }) };
});

function sizesTable() {
  const header = ["size", "clip", "patch", "encoder", "heads", "decoder", "heads", "MLP hidden, encoder and decoder"];
  const rows = models.map(({ name, config }) => {
    const hidden = (side) => parameterShapes(config).find(([key]) => key === `${side}.blocks.0.mlp.fc1.bias`)[1][0];
    return [
      name,
      `${config.frames} x ${config.image}²`,
      config.patch,
      `${config.depth} x ${config.width}`,
      config.heads,
      `${config.decoderDepth} x ${config.decoderWidth}`,
      config.decoderHeads,
      `${hidden("encoder")}, ${hidden("decoder")}`,
    ];
  });
  return table(header, rows);
}

/** Parameters by where they are. */
function parametersOf(config) {
  const of = (belongs) =>
    parameterShapes(config)
      .filter(([name]) => belongs(name))
      .reduce((sum, [, shape]) => sum + shape.reduce((product, side) => product * side, 1), 0);
  const [encoder, decoder] = ["encoder.", "decoder."].map((prefix) => of((name) => name.startsWith(prefix)));
  const total = of(() => true);
  return { encoder, decoder, between: total - encoder - decoder, total };
}

function parametersTable() {
  const rows = models.map(({ name, config }) => {
    const { encoder, decoder, between, total } = parametersOf(config);
    return [name, ...[encoder, decoder, between, total].map(count)];
  });
  return table(["size", "encoder", "decoder", "bridge and mask token", "all"], rows);
}

function tokensTable() {
  const rows = models.map(({ name, grid: { t, h, w }, dual, single }) => [
    name,
    `${count(dual.tokens)} (${t} x ${h} x ${w})`,
    dual.visible,
    dual.decoded,
    count(single.decoded),
  ]);
  return table(["size", "tokens", "encoder sees", "decoder rebuilds", "without decoder mask"], rows);
}

function workTable() {
  const rows = models.map(({ name, config, dual, single }) => [
    name,
    giga(multiplyAdds(config, dual).total),
    giga(multiplyAdds(config, single).total),
    ...[dual, single].map((counts) => giga(2 * multiplyAdds(config, counts, counts.visible).total)),
    ...[dual, single].map((counts) => giga(trainingFlops(config, counts))),
  ]);
  const header = [
    "size",
    "published count, G multiply-adds",
    "without decoder mask",
    "forward, GFLOP",
    "without decoder mask",
    "training step, GFLOP",
    "without decoder mask",
  ];
  return table(header, rows);
}

function memoryTable() {
  const rows = models.map(({ name }) => {
    const forecast = (options) =>
      forecastMemory(parsePretrainConfig({ data: "-", model: name, device: "cpu", batchSize: CLIPS, ...options }));
    const f32 = forecast({ dtype: "f32" });
    const states = f32.parameters + f32.gradients + f32.optimizer;
    const others = [{ dtype: "f32", recompute: true }, { dtype: "bf16" }, { dtype: "bf16", recompute: true }].map(
      forecast,
    );
    return [name, ...[states, f32.peak, ...others.map(({ peak }) => peak)].map(gigabytes)];
  });
  const header = ["size", "states", "f32", "f32, `--recompute`", "bf16", "bf16, `--recompute`"];
  return table(header, rows);
}

/** The whole page. */
export function renderModelsPage() {
  return `# Models

Written by \`npm run docs:models\` from the code; do not edit it by hand. \`videomae inspect model <size>\` shows the same of any
size, clip, mask and batch ([commands.md](commands.md#inspect-model)).

## Sizes

Depth x width; a clip is frames x side. A token covers 2 frames and a patch. \`vit-tiny\` is for tests: it trains in milliseconds.

${sizesTable()}

## Parameters

The encoder with its patch embedding and last norm; the decoder with its norm and head. Positional tables are no parameters.

${parametersTable()}

## Tokens of a clip

With the masks of the paper: a tube mask of 90 % for the encoder, running cell of 50 % for the decoder.

${tokensTable()}

## Work of a clip

The published count is that of the paper: a forward pass, a multiply-add counted once, all tokens embedded. Here only visible
tokens are embedded, so less is done: the other columns count that, a multiply-add as two operations. A training step is three
such passes (\`trainingFlops\`): the gradient of a product takes two of its size. Norms, softmax and the like are not counted,
neither is what \`--recompute\` does again.

${workTable()}

## Memory of pre-training

GB (10^9 bytes) that tensors take at most in updates of ${CLIPS} clips with the masks above, on a CPU. States are parameters,
gradients and both moments of AdamW, in f32 whatever the activations are in; bf16 adds copies of the parameters. The forecast is
a rehearsal of the code itself, see [memory.md](memory.md#rehearse); the loader and the program come on top.

${memoryTable()}
`;
}

if (import.meta.filename === process.argv[1]) writeFileSync(modelsPage, renderModelsPage());
