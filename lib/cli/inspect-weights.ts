// `videomae inspect weights <file>`: format, model, every tensor with its range, and what is wrong with the numbers.
import { Command } from "commander";
import { type TensorReport, type WeightsReport, weightsReport } from "../eval/weights-report.js";
import type { RecognizedWeights } from "../models/recognize-weights.js";

interface InspectWeightsOptions {
  readonly container?: string;
  readonly json?: boolean;
}

export function inspectWeightsCommand(): Command {
  return new Command("weights")
    .description("format, model, names, shapes, dtypes and ranges of weights; NaN and all-zero tensors")
    .argument("<file>", "safetensors, .pth, .bin, an index of several, or a folder of a model or run")
    .option("--container <key>", "which dict of tensors of a PyTorch file (default: model, module, state_dict)")
    .option("--json", "print JSON")
    .action((file: string, options: InspectWeightsOptions) => inspectWeights(file, options));
}

async function inspectWeights(file: string, { container, json }: InspectWeightsOptions): Promise<void> {
  const report = await weightsReport(
    file,
    { container },
    json ? undefined : (tensor) => console.log(tensorLine(tensor)),
  );
  if (json) console.log(JSON.stringify({ schema: "videomae.inspect-weights/1", ...report }, jsonValue, 2));
  else for (const line of summary(report)) console.log(line);
}

/** Maps as objects, integers beyond 2^53 as text, and the numbers that JSON lacks as text. */
function jsonValue(_key: string, value: unknown): unknown {
  if (value instanceof Map) return Object.fromEntries(value);
  if (typeof value === "bigint") return String(value);
  return typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
}

function tensorLine({ name, dtype, shape, statistics }: TensorReport): string {
  return `${name}  ${dtype} [${shape.join(", ")}]  ${statistics ? rangeText(statistics) : "not readable"}`;
}

function rangeText({ nan, infinite, allZero, min, max }: NonNullable<TensorReport["statistics"]>): string {
  const parts: string[] = [];
  if (allZero) parts.push("all zero");
  else if (min !== undefined && max !== undefined) parts.push(`${round(min)} .. ${round(max)}`);
  if (nan > 0) parts.push(`${count(nan)} NaN`);
  if (infinite > 0) parts.push(`${count(infinite)} infinite`);
  return parts.join(", ") || "empty";
}

function summary(report: WeightsReport): string[] {
  const { path, format, container, containers, wrappers, recognized, tensors, elements, bytes, dtypes } = report;
  const facts: string[] = [format];
  if (container !== undefined) facts.push(`weights under "${container}"`);
  const rest = containers.filter((key) => key !== container);
  if (rest.length > 0) facts.push(`tensors also under ${rest.join(", ")}`);
  if (wrappers.length > 0) facts.push(`names begin with ${wrappers.join(", ")}`);
  const types = [...dtypes].map(([dtype, n]) => `${n} ${dtype}`).join(", ");
  const lines = ["", `${path}: ${facts.join("; ")}`];
  lines.push(recognized ? modelLine(recognized) : "no known model");
  lines.push(`${tensors.length} tensors (${types}), ${count(elements)} elements, ${(bytes / 1e6).toFixed(1)} MB`);
  const beside = [...report.metadata].map(([key, value]) => `${key}: ${short(value)}`);
  if (beside.length > 0) lines.push(`beside them: ${beside.join("; ")}`);
  if (report.others.length > 0) lines.push(`no tensors: ${report.others.join(", ")}`);
  if (report.args)
    lines.push(`written by a training with ${[...report.args].map(([k, v]) => `${k}=${short(v)}`).join(" ")}`);
  for (const warning of report.warnings) lines.push(`WARNING: ${warning}`);
  return lines;
}

function modelLine(model: RecognizedWeights): string {
  const { names, kind, size, width, depth, patch, tubelet, decoder, classes, pooling } = model;
  const parts = [`${size ?? "a size of its own"}: ${kind}, ${names} names`];
  parts.push(`encoder ${depth} x ${width}, patches ${tubelet} x ${patch} x ${patch}`);
  if (decoder) parts.push(`decoder ${decoder.depth} x ${decoder.width}`);
  if (classes !== undefined && kind === "classifier") parts.push(`${classes} classes`);
  if (pooling) parts.push(`pooling: ${pooling}`);
  return parts.join("; ");
}

function short(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value, jsonValue);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

const count = (n: number) => n.toLocaleString("en-US");
const round = (x: number) => String(Number(x.toPrecision(4)));
