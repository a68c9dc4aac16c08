// `videomae inspect model <size>`: parameters, tokens, and multiply-adds with and without decoder masking.
import { Command } from "commander";
import { dualMask } from "../masking/dual-mask.js";
import { multiplyAdds } from "../models/multiply-adds.js";
import { modelName, parameterCount, parameterShapes, resolvePretrainConfig, tokenGrid } from "../models/sizes.js";
import { inspectWeightsCommand } from "./inspect-weights.js";
import { parseNumber } from "./values.js";

interface InspectOptions {
  readonly image?: number;
  readonly frames?: number;
  readonly patch?: number;
  readonly decoderDepth?: number;
  readonly maskRatio: number;
  readonly decoderMaskRatio: number;
  readonly parameters?: boolean;
  readonly json?: boolean;
}

export function inspectCommand(): Command {
  const model = new Command("model")
    .description("parameters, tokens and multiply-adds of a model")
    .argument("<size>", "small, base, large, huge, giant, or S, B, L, H, g")
    .option("--image <pixels>", "side of the input", parseNumber)
    .option("--frames <count>", "frames of a clip", parseNumber)
    .option("--patch <pixels>", "side of a patch", parseNumber)
    .option("--decoder-depth <blocks>", "blocks of the decoder", parseNumber)
    .option("--mask-ratio <ratio>", "tokens hidden from the encoder", parseNumber, 0.9)
    .option("--decoder-mask-ratio <ratio>", "tokens not reconstructed", parseNumber, 0.5)
    .option("--parameters", "list every parameter with its shape")
    .option("--json", "print JSON")
    .action((size: string, options: InspectOptions) => inspectModel(size, options));
  return new Command("inspect")
    .description("look into models and weights")
    .addCommand(model)
    .addCommand(inspectWeightsCommand());
}

function inspectModel(size: string, options: InspectOptions): void {
  const { image, frames, patch, decoderDepth, maskRatio, decoderMaskRatio } = options;
  const config = resolvePretrainConfig(size, { image, frames, patch, decoderDepth });
  const grid = tokenGrid(config);
  const encoder = { kind: "tube", ratio: maskRatio } as const;
  const dual = dualMask({ encoder, decoder: { kind: "running-cell", ratio: decoderMaskRatio }, grid });
  const single = dualMask({ encoder, decoder: { kind: "none" }, grid });
  const report = {
    model: modelName(size),
    parameters: parameterCount(config),
    grid,
    dualMasking: { ...dual.counts, multiplyAdds: multiplyAdds(config, dual.counts) },
    encoderOnlyMasking: { ...single.counts, multiplyAdds: multiplyAdds(config, single.counts) },
  };
  if (options.json) {
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
  if (options.parameters) {
    for (const [name, shape] of parameterShapes(config)) console.log(`${name} [${shape.join(", ")}]`);
  }
}
