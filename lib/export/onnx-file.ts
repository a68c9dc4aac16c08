// Writing a graph as an ONNX file. A protocol buffer has less than 2 GiB, so the numbers of larger models go into a second
// file, `<model>.onnx.data`, which the first one names. Either way a constant is read, written and forgotten.

import { rmSync } from "node:fs";
import { basename } from "node:path";
import { writeFileAtomic } from "../io/atomic-file.js";
import { requireFree } from "../io/new-path.js";
import type { GraphConstant, OnnxGraph } from "./onnx-graph.js";
import { externalData, fieldHead, message, RAW_DATA, tensorMessage, textMessage } from "./onnx-messages.js";

/** Operators are those of this version of the standard set. */
export const OPSET = 17;
const IR_VERSION = 8;
const MOST_IN_ONE_FILE = 2 ** 31 - 2 ** 20; // bytes of constants; 1 MiB for all else
const PAGE = 4096; // constants begin at pages, so that readers can map them

export interface OnnxFileOptions {
  /** Constants in a second file also where they fit into one. */
  readonly externalData?: boolean;
  /** Texts that come with the model. */
  readonly metadata?: Readonly<Record<string, string>>;
  readonly version: string;
}

/**
 * Writes a graph. Each file is written atomically, that of the numbers first.
 * @returns the paths written
 * @throws VideomaeError when something is at one of them, or the file system refuses
 */
export function writeOnnx(path: string, graph: OnnxGraph, options: OnnxFileOptions): string[] {
  const { constants } = graph;
  const bytes = constants.reduce((sum, { byteLength }) => sum + byteLength, 0);
  const outside = options.externalData || bytes > MOST_IN_ONE_FILE;
  const dataPath = `${path}.data`;
  requireFree(path);
  if (!outside) {
    writeModel(path, graph, constants.map(insideTensor), options);
    return [path];
  }
  requireFree(dataPath);
  writeData(dataPath, constants.filter(isOutside));
  try {
    writeModel(path, graph, outsideTensors(basename(dataPath), constants), options);
  } catch (error) {
    rmSync(dataPath, { force: true });
    throw error;
  }
  return [path, dataPath];
}

function writeModel(path: string, graph: OnnxGraph, tensors: readonly TensorPieces[], options: OnnxFileOptions): void {
  const head = graphHead(graph);
  const size = tensors.reduce(
    (sum, tensor) => sum + fieldHead(INITIALIZER, tensor.size).length + tensor.size,
    head.length,
  );
  writeFileAtomic(path, (sink) => {
    sink(modelHead(options));
    sink(fieldHead(7, size)); // ModelProto.graph
    sink(head);
    for (const { size: own, parts } of tensors) {
      sink(fieldHead(INITIALIZER, own));
      for (const part of parts) sink(part());
    }
  });
}

/** GraphProto.initializer. */
const INITIALIZER = 5;

/** A TensorProto in pieces, each made when it is written. */
interface TensorPieces {
  readonly size: number;
  readonly parts: readonly (() => Uint8Array)[];
}

function insideTensor(constant: GraphConstant): TensorPieces {
  const { name, type, shape, byteLength } = constant;
  const front = Buffer.concat([tensorMessage(name, type, shape), fieldHead(RAW_DATA, byteLength)]);
  return { size: front.length + byteLength, parts: [() => front, () => constant.read()] };
}

/** Integers are shapes, which a reader wants before it opens the other file. */
const isOutside = ({ type }: GraphConstant): boolean => type === "f32";

function outsideTensors(file: string, constants: readonly GraphConstant[]): TensorPieces[] {
  let end = 0;
  return constants.map((constant) => {
    if (!isOutside(constant)) return insideTensor(constant);
    const { name, type, shape, byteLength } = constant;
    const offset = pageAfter(end);
    end = offset + byteLength;
    const bytes = Buffer.concat([tensorMessage(name, type, shape), externalData(file, offset, byteLength)]);
    return { size: bytes.length, parts: [() => bytes] };
  });
}

function writeData(path: string, constants: readonly GraphConstant[]): void {
  writeFileAtomic(path, (sink) => {
    let end = 0;
    for (const constant of constants) {
      sink(new Uint8Array(pageAfter(end) - end));
      sink(constant.read());
      end = pageAfter(end) + constant.byteLength;
    }
  });
}

const pageAfter = (offset: number): number => Math.ceil(offset / PAGE) * PAGE;

/** GraphProto without its constants. */
function graphHead({ nodes, inputs, outputs }: OnnxGraph): Uint8Array {
  return message(
    ...nodes.map((node) => [1, node] as const),
    [2, "videomae"],
    ...inputs.map((input) => [11, input] as const),
    ...outputs.map((output) => [12, output] as const),
  );
}

/** ModelProto without its graph. */
function modelHead({ version, metadata = {} }: OnnxFileOptions): Uint8Array {
  return message(
    [1, IR_VERSION],
    [2, "videomae"],
    [3, version],
    [8, message([2, OPSET])],
    ...Object.entries(metadata).map(([key, value]) => [14, textMessage(key, value)] as const),
  );
}
