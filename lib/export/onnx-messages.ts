// The protocol-buffer messages of an ONNX model (onnx.proto of version 1.12, IR version 8), as far as graphs of models
// need them. A message is a list of numbered fields; numbers are integers unless they are wrapped as floats.

import { library } from "../library.js";

const wire = library<typeof import("@bufbuild/protobuf/wire")>("@bufbuild/protobuf/wire");

type Field = readonly [number: number, value: string | number | Uint8Array | { readonly float: number }];

/** The bytes of a message. */
export function message(...fields: readonly Field[]): Uint8Array {
  const { BinaryWriter, WireType } = wire();
  const writer = new BinaryWriter();
  for (const [number, value] of fields) {
    if (typeof value === "number") writer.tag(number, WireType.Varint).int64(value);
    else if (typeof value === "string") writer.tag(number, WireType.LengthDelimited).string(value);
    else if (value instanceof Uint8Array) writer.tag(number, WireType.LengthDelimited).bytes(value);
    else writer.tag(number, WireType.Bit32).float(value.float);
  }
  return writer.finish();
}

/** What stands before `length` bytes that are a field, when these are written by themselves. */
export function fieldHead(number: number, length: number): Uint8Array {
  const { BinaryWriter, WireType } = wire();
  return new BinaryWriter().tag(number, WireType.LengthDelimited).uint32(length).finish();
}

/** TensorProto.DataType. */
export const elementTypes = { f32: 1, u8: 2, i64: 7 } as const;
export type ElementType = keyof typeof elementTypes;

/** Of a node: numbers that are integers, lists of integers, or floats. */
export type Attribute = number | readonly number[] | { readonly float: number };

/** NodeProto. */
export function nodeMessage(
  type: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Readonly<Record<string, Attribute>>,
): Uint8Array {
  return message(
    ...inputs.map((name): Field => [1, name]),
    ...outputs.map((name): Field => [2, name]),
    [3, outputs[0]],
    [4, type],
    ...Object.entries(attributes).map(([name, value]): Field => [5, attributeMessage(name, value)]),
  );
}

/** AttributeProto: one float (type 1), integer (2) or list of integers (7). */
function attributeMessage(name: string, value: Attribute): Uint8Array {
  if (typeof value === "number") return message([1, name], [3, value], [20, 2]);
  if ("float" in value) return message([1, name], [2, value], [20, 1]);
  return message([1, name], ...value.map((item): Field => [8, item]), [20, 7]);
}

/** ValueInfoProto of a tensor; a text in its shape is a size that is known when the graph runs. */
export function valueMessage(name: string, type: ElementType, shape: readonly (number | string)[]): Uint8Array {
  const sides = shape.map((side): Field => [1, typeof side === "number" ? message([1, side]) : message([2, side])]);
  const tensor = message([1, elementTypes[type]], [2, message(...sides)]);
  return message([1, name], [2, message([1, tensor])]);
}

/** TensorProto without its data. */
export function tensorMessage(name: string, type: ElementType, shape: readonly number[]): Uint8Array {
  return message(...shape.map((side): Field => [1, side]), [2, elementTypes[type]], [8, name]);
}

/** The field of a TensorProto that holds its data as bytes, little-endian. */
export const RAW_DATA = 9;

/** The fields of a TensorProto whose data lie in another file. */
export function externalData(file: string, offset: number, length: number): Uint8Array {
  const places = { location: file, offset: String(offset), length: String(length) };
  return message(...Object.entries(places).map((entry): Field => [13, textMessage(...entry)]), [14, 1]);
}

/** StringStringEntryProto. */
export function textMessage(key: string, value: string): Uint8Array {
  return message([1, key], [2, value]);
}
