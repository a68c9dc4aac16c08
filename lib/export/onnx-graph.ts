// A graph of ONNX operators while it is being made: nodes, tensors that are constant, inputs and outputs. Constants are
// read when the graph is written, so the memory is that of one.

import { type Attribute, type ElementType, nodeMessage, valueMessage } from "./onnx-messages.js";

/** A constant of a graph. */
export interface GraphConstant {
  readonly name: string;
  readonly type: Exclude<ElementType, "u8">;
  readonly shape: readonly number[];
  readonly byteLength: number;
  /** Its numbers, row-major, little-endian. */
  read(): Uint8Array;
}

export class OnnxGraph {
  /** Encoded, in the order in which they compute. */
  readonly nodes: Uint8Array[] = [];
  readonly inputs: Uint8Array[] = [];
  readonly outputs: Uint8Array[] = [];
  readonly #constants = new Map<string, GraphConstant>();
  readonly #counts = new Map<string, number>();

  get constants(): readonly GraphConstant[] {
    return [...this.#constants.values()];
  }

  /** Declares an input and returns its name. A text in the shape is a size that is known when the graph runs. */
  input(name: string, type: ElementType, shape: readonly (number | string)[]): string {
    this.inputs.push(valueMessage(name, type, shape));
    return name;
  }

  /** Names the f32 tensor `value` and makes it an output. */
  output(name: string, value: string, shape: readonly (number | string)[]): void {
    this.nodes.push(nodeMessage("Identity", [value], [name], {}));
    this.outputs.push(valueMessage(name, "f32", shape));
  }

  /** Adds an operator with one output and returns the output's name. An empty name is an input that is left out. */
  op(type: string, inputs: readonly string[], attributes: Readonly<Record<string, Attribute>> = {}): string {
    return this.ops(type, 1, inputs, attributes)[0];
  }

  /** Adds an operator with several outputs. */
  ops(
    type: string,
    count: number,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
  ): string[] {
    const number = (this.#counts.get(type) ?? 0) + 1;
    this.#counts.set(type, number);
    const outputs = Array.from({ length: count }, (_, i) => `${type}_${number}${i > 0 ? `.${i}` : ""}`);
    this.nodes.push(nodeMessage(type, inputs, outputs, attributes));
    return outputs;
  }

  /** A constant of `shape`, f32, whose numbers are read when the graph is written. */
  floats(name: string, shape: readonly number[], read: () => Float32Array): string {
    const byteLength = 4 * shape.reduce((count, side) => count * side, 1);
    return this.#constant({
      ...{ name, type: "f32", shape, byteLength },
      read() {
        const { buffer, byteOffset } = read();
        return new Uint8Array(buffer, byteOffset, byteLength);
      },
    });
  }

  /** A number as a constant, f32 (). */
  number(value: number): string {
    return this.floats(`number_${value}`, [], () => Float32Array.of(value));
  }

  /** Integers as a constant, i64 (n). */
  integers(values: readonly number[]): string {
    const data = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
    const shape = [values.length];
    return this.#constant({
      ...{ name: `integers_${values.join("_")}`, type: "i64", shape, byteLength: data.length },
      read: () => data,
    });
  }

  /** One of a name: the same numbers are kept once. */
  #constant(constant: GraphConstant): string {
    if (!this.#constants.has(constant.name)) this.#constants.set(constant.name, constant);
    return constant.name;
  }
}
