// `videomae inspect model <size>`: parameters, tokens, multiply-adds with and without decoder masking, and a forecast of
// the memory that pre-training takes.
import { Command } from "commander";
import { type PretrainRunConfig, parsePretrainConfig } from "../config/pretrain-config.js";
import { dualMask } from "../masking/dual-mask.js";
import { multiplyAdds } from "../models/multiply-adds.js";
import { modelName, parameterCount, parameterShapes, resolvePretrainConfig, tokenGrid } from "../models/sizes.js";
import { type ComputeOptions, computeOf } from "../train/compute.js";
import { forecastMemory, type MemoryForecast, memoryOf } from "../train/memory-forecast.js";
import { addComputeOptions } from "./compute-options.js";
import { bytesText, parseNumber } from "./values.js";

interface InspectOptions extends ComputeOptions {
  readonly image?: number;
  readonly frames?: number;
  readonly patch?: number;
  readonly decoderDepth?: number;
  readonly maskRatio: number;
  readonly decoderMask: "running-cell" | "none";
  readonly decoderMaskRatio: number;
  readonly batchSize: number;
  readonly views: number;
  readonly accumulate: number;
  readonly workers: number;
  readonly parameters?: boolean;
  readonly json?: boolean;
}

export function inspectModelCommand(): Command {
  const model = new Command("model")
    .description("parameters, tokens, multiply-adds of a model, and the memory its pre-training takes")
    .argument("<size>", "small, base, large, huge, giant, or S, B, L, H, g")
    .option("--image <pixels>", "side of the input", parseNumber)
    .option("--frames <count>", "frames of a clip", parseNumber)
    .option("--patch <pixels>", "side of a patch", parseNumber)
    .option("--decoder-depth <blocks>", "blocks of the decoder", parseNumber)
    .option("--mask-ratio <ratio>", "tokens hidden from the encoder", parseNumber, 0.9)
    .option("--decoder-mask <mask>", "running-cell, or none (memory only)", "running-cell")
    .option("--decoder-mask-ratio <ratio>", "tokens not reconstructed", parseNumber, 0.5)
    .option("--batch-size <videos>", "videos in a batch", parseNumber, 8)
    .option("--views <count>", "clips taken from a video", parseNumber, 1)
    .option("--accumulate <batches>", "batches added up before an update", parseNumber, 1)
    .option("--workers <count>", "threads that decode clips", parseNumber, 2);
  return addComputeOptions(model)
    .option("--parameters", "list every parameter with its shape")
    .option("--json", "print JSON")
    .action(inspectModel);
}

function inspectModel(size: string, options: InspectOptions): void {
  const { image, frames, patch, decoderDepth, maskRatio, decoderMaskRatio } = options;
  const config = resolvePretrainConfig(size, { image, frames, patch, decoderDepth });
  const grid = tokenGrid(config);
  const encoder = { kind: "tube", ratio: maskRatio } as const;
  const dual = dualMask({ encoder, decoder: { kind: "running-cell", ratio: decoderMaskRatio }, grid });
  const single = dualMask({ encoder, decoder: { kind: "none" }, grid });
  const { parameters: list, json, ...given } = options;
  const run = parsePretrainConfig({ data: "-", model: size, ...given }, "inspect model");
  const report = {
    model: modelName(size),
    parameters: parameterCount(config),
    grid,
    dualMasking: { ...dual.counts, multiplyAdds: multiplyAdds(config, dual.counts) },
    encoderOnlyMasking: { ...single.counts, multiplyAdds: multiplyAdds(config, single.counts) },
    memory: {
      kept: forecastMemory({ ...run, recompute: false }),
      recomputed: forecastMemory({ ...run, recompute: true }),
      limit: memoryOf("cpu"),
      deviceLimit: memoryOf(computeOf(run).device),
    },
  };
  if (json) {
    console.log(JSON.stringify(report, undefined, 2));
    return;
  }
  const count = (n: number) => n.toLocaleString("en-US");
  const giga = (n: number) => (n / 1e9).toFixed(2);
  console.log(`${report.model}: ${count(report.parameters)} parameters, ${count(dual.counts.tokens)} tokens`);
  console.log(`  clip ${config.frames} x ${config.image} x ${config.image}, grid ${grid.t} x ${grid.h} x ${grid.w}`);
  console.log(`  encoder ${config.depth} x ${config.width}, ${config.heads} heads of ${config.width / config.heads}`);
  console.log(`  decoder ${config.decoderDepth} x ${config.decoderWidth}, ${config.decoderHeads} heads`);
  for (const [title, masks] of [
    ["dual masking", report.dualMasking],
    ["encoder-only masking", report.encoderOnlyMasking],
  ] as const) {
    const m = masks.multiplyAdds;
    console.log(`${title}: ${masks.visible} visible, ${masks.decoded} reconstructed, ${masks.lossTokens} with loss`);
    console.log(
      `  multiply-adds forward, a clip: ${giga(m.total)} G (patch embedding ${giga(m.patchEmbed)}, encoder ` +
        `${giga(m.encoder)}, bridge ${giga(m.bridge)}, decoder ${giga(m.decoder)}, head ${giga(m.head)})`,
    );
  }
  printMemory(run, report.memory);
  if (list) {
    for (const [name, shape] of parameterShapes(config)) console.log(`${name} [${shape.join(", ")}]`);
  }
}

/** Parts of a forecast as a table says them: of tensors, and of the rest of the process. */
const tensorRows = [
  ["parameters", "parameters"],
  ["gradients", "gradients"],
  ["optimizer", "optimiser"],
  ["tables", "tables, rounding"],
  ["activations", "activations"],
  ["peak", "tensors at most"],
] as const;
const deviceRows = [["onDevice", "device at most"]] as const;
const pinnedRows = [["pinned", "pinned buffers"]] as const;
const loaderRows = [
  ["loader", "loader buffers"],
  ["workers", "loader threads"],
] as const;
const processRows = [
  ["process", "program"],
  ["host", "process at most"],
] as const;

interface Forecasts {
  readonly kept: MemoryForecast;
  readonly recomputed: MemoryForecast;
  readonly limit: number | undefined;
  readonly deviceLimit: number | undefined;
}

function printMemory(
  { batchSize, views, accumulate, workers, decoderMask }: PretrainRunConfig,
  { kept, recomputed, limit, deviceLimit }: Forecasts,
): void {
  const { device, rehearsedOn } = kept;
  const masking = decoderMask === "none" ? "encoder-only" : "dual";
  console.log(
    `memory of pre-training, ${masking} masking, ${batchSize} videos x ${views} views, accumulate ${accumulate}, ${workers} workers:`,
  );
  console.log(`  ${"".padEnd(18)} ${"kept".padStart(10)}  ${"--recompute".padStart(11)}`);
  const elsewhere = device !== "cpu";
  for (const [key, title] of [
    ...tensorRows,
    ...(elsewhere ? deviceRows : []),
    ...loaderRows,
    ...(elsewhere ? pinnedRows : []),
    ...processRows,
  ]) {
    console.log(
      `  ${title.padEnd(18)} ${bytesText(kept[key]).padStart(10)}  ${bytesText(recomputed[key]).padStart(11)}`,
    );
  }
  if (limit !== undefined) console.log(`  this machine allows ${bytesText(limit)}`);
  if (!elsewhere) return;
  if (deviceLimit !== undefined) console.log(`  ${device} has ${bytesText(deviceLimit)}`);
  if (rehearsedOn !== device) console.log(`  there is no ${device} here: scratch memory is that of kernels of the CPU`);
}
