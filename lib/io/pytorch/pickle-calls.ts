// The names that a checkpoint's pickle may use, and what each builds: plain data and descriptions of tensors. This table
// is the whole of what a file can make happen.

import { dtypeWidth } from "../stored-dtype.js";
import {
  badPickle,
  kindOf,
  Name,
  Namespace,
  NumpyDtype,
  PickledStorage,
  PickledTensor,
  type PickledValue,
  shown,
} from "./pickle-values.js";
import { checkView } from "./strided-view.js";

/** Arguments of a call; `charge` accounts for the elements that it copies. */
interface Call {
  readonly path: string;
  readonly parameters: readonly PickledValue[];
  readonly charge: (elements: number) => void;
}

type Build = (call: Call) => PickledValue;

/** Storage classes of `torch` and dtypes of their elements, by safetensors' names. */
const storageTypes: Readonly<Record<string, string>> = {
  DoubleStorage: "F64",
  FloatStorage: "F32",
  HalfStorage: "F16",
  BFloat16Storage: "BF16",
  LongStorage: "I64",
  IntStorage: "I32",
  ShortStorage: "I16",
  CharStorage: "I8",
  ByteStorage: "U8",
  BoolStorage: "BOOL",
  ComplexFloatStorage: "C64",
  ComplexDoubleStorage: "C128",
};

const torchDtypes: Readonly<Record<string, string>> = {
  ...{ float64: "F64", double: "F64", float32: "F32", float: "F32", float16: "F16", half: "F16", bfloat16: "BF16" },
  ...{ int64: "I64", long: "I64", int32: "I32", int: "I32", int16: "I16", short: "I16", int8: "I8" },
  ...{ uint64: "U64", uint32: "U32", uint16: "U16", uint8: "U8", bool: "BOOL", complex64: "C64", complex128: "C128" },
  ...{ float8_e4m3fn: "F8_E4M3", float8_e5m2: "F8_E5M2", float8_e8m0fnu: "F8_E8M0" },
};

/** What can be called. */
const builders: Readonly<Record<string, Build>> = {
  "torch._utils._rebuild_tensor": ({ path, parameters: [storage, offset, shape, strides] }) =>
    rebuildTensor(path, storage, offset, shape, strides),
  "torch._utils._rebuild_tensor_v2": ({ path, parameters: [storage, offset, shape, strides] }) =>
    rebuildTensor(path, storage, offset, shape, strides),
  "torch._utils._rebuild_tensor_v3": ({ path, parameters: [storage, offset, shape, strides, , , dtype] }) =>
    rebuildTensor(path, storage, offset, shape, strides, dtypeOf(dtype)),
  "torch._utils._rebuild_parameter": ({ path, parameters: [tensor] }) => expectTensor(path, tensor),
  "torch._utils._rebuild_parameter_with_state": ({ path, parameters: [tensor] }) => expectTensor(path, tensor),
  "torch._tensor._rebuild_from_type_v2": ({ path, charge, parameters: [callable, , parameters] }) => {
    // A tensor with attributes of its own: the tensor is built as any other, the attributes say nothing about it.
    if (
      !(callable instanceof Name) ||
      !callable.name.startsWith("torch._utils._rebuild_") ||
      !Array.isArray(parameters)
    )
      throw badPickle(path, "a tensor to rebuild", kindOf(callable));
    return callName(path, callable, parameters, charge);
  },
  "torch.Size": ({ path, parameters: [sizes = []] }) => expectList(path, sizes),
  "torch.device": ({ parameters: [type, index] }) =>
    typeof type === "string" && typeof index === "number" ? `${type}:${index}` : (type ?? null),
  "collections.OrderedDict": buildMap,
  "collections.Counter": buildMap,
  "collections.defaultdict": ({ parameters: [, items], ...call }) =>
    buildMap({ ...call, parameters: items ? [items] : [] }),
  "argparse.Namespace": () => new Namespace(),
  "builtins.dict": buildMap,
  "builtins.set": buildSet,
  "builtins.frozenset": buildSet,
  "builtins.list": ({ path, charge, parameters: [items = []] }) => copyList(path, items, charge),
  "builtins.tuple": ({ path, charge, parameters: [items = []] }) => copyList(path, items, charge),
  "builtins.bytes": ({ path, charge, parameters }) => buildBytes(path, parameters, charge),
  "builtins.bytearray": ({ path, charge, parameters }) => buildBytes(path, parameters, charge),
  "_codecs.encode": ({ path, charge, parameters }) => buildBytes(path, parameters, charge),
  "numpy.dtype": ({ path, parameters: [code] }) => {
    if (typeof code === "string") return new NumpyDtype(code);
    throw badPickle(path, "the code of a numpy.dtype", kindOf(code));
  },
  "numpy._core.multiarray.scalar": ({ path, parameters: [dtype, bytes] }) => numpyScalar(path, dtype, bytes),
};

/** Classes and constants that are named without being called. */
const constants = [
  ...Object.keys(storageTypes).map((name) => `torch.${name}`),
  ...["torch.UntypedStorage", "torch.storage.UntypedStorage", "torch.Tensor", "torch._tensor.Tensor"],
  "torch.nn.parameter.Parameter",
  ...Object.keys(torchDtypes).map((name) => `torch.${name}`),
  ...["int", "float", "complex", "str", "bool", "object"].map((name) => `builtins.${name}`),
];

const names = new Map([...Object.keys(builders), ...constants].map((name) => [name, new Name(name)]));

/** The same things under the names of other versions of Python and NumPy. */
const renamed: readonly (readonly [from: RegExp, to: string])[] = [
  [/^__builtin__\./, "builtins."],
  [/^builtins\.long$/, "builtins.int"],
  [/^builtins\.unicode$/, "builtins.str"],
  [/^numpy\.core\./, "numpy._core."],
];

/** Kinds of tensors that are data and cannot be read here, and what they are. */
const unreadable: readonly (readonly [RegExp, string])[] = [
  [/^torch\._utils\._rebuild_qtensor$|^torch\.Q\w+Storage$|^torch\.q(u?int|_)/, "a quantised tensor"],
  [/^torch\._utils\._rebuild_sparse/, "a sparse tensor"],
  [/^torch\._utils\._rebuild_meta_tensor/, "a tensor without data (of the device meta)"],
  [/^torch\._utils\._rebuild_(device|xla|wrapper|nested|gradient)/, "a tensor of a kind that is not stored as numbers"],
];

/**
 * A name of the table.
 * @throws DamagedFileError for any other, saying what the file wants to run
 */
export function findName(path: string, module: string, name: string): Name {
  const full = renamed.reduce((text, [from, to]) => text.replace(from, to), `${module}.${name}`);
  const known = names.get(full);
  if (known) return known;
  const shown = full.length > 200 ? `${full.slice(0, 200)}...` : full;
  const special = unreadable.find(([pattern]) => pattern.test(full))?.[1];
  if (special) {
    const hint = "save dense tensors: tensor.dequantize(), tensor.to_dense() or tensor.cpu() of PyTorch";
    throw badPickle(path, "dense tensors of plain numbers", `${special} (${shown})`, hint);
  }
  throw badPickle(
    path,
    "tensors, containers and argparse namespaces",
    `a pickle that wants to run ${JSON.stringify(shown)}`,
    "nothing of it was run. If you trust the file, load it in PyTorch and save its weights alone, as a dict of tensors",
  );
}

/** What calling a name builds. */
export function callName(
  path: string,
  { name }: Name,
  parameters: readonly PickledValue[],
  charge: (elements: number) => void,
): PickledValue {
  if (Object.hasOwn(builders, name)) return builders[name]({ path, parameters, charge });
  throw badPickle(path, "a call that builds data", `a call of ${name}`);
}

/** The storage of a persistent identifier: ("storage", class, key, location, elements[, view]). */
export function storageOf(path: string, identifier: PickledValue): PickledStorage {
  if (!Array.isArray(identifier) || identifier[0] !== "storage") {
    throw badPickle(path, 'the identifier of a "storage"', kindOf(identifier));
  }
  const [, type, key, , elements, view = null] = identifier;
  const className = type instanceof Name ? type.name : kindOf(type);
  const untyped = /^torch\.(storage\.)?UntypedStorage$/.test(className);
  const dtype = untyped ? undefined : storageTypes[className.replace(/^torch\./, "")];
  if (!untyped && dtype === undefined) throw badPickle(path, "a class of storages", className);
  if (typeof key !== "string") throw badPickle(path, "a storage's key as text", kindOf(key));
  const width = dtype === undefined ? 1 : (dtypeWidth(dtype) as number);
  const storedBytes = size(path, "elements of a storage", elements) * width;
  if (view === null) return new PickledStorage(key, dtype, storedBytes, 0, storedBytes);
  const [, offset, length] = expectList(path, view);
  const begin = size(path, "the offset of a storage's view", offset) * width;
  const byteLength = size(path, "elements of a storage's view", length) * width;
  if (begin + byteLength > storedBytes)
    throw badPickle(path, `a view inside ${storedBytes} bytes`, `${begin}+${byteLength}`);
  return new PickledStorage(key, dtype, storedBytes, begin, byteLength);
}

function rebuildTensor(
  path: string,
  storage: PickledValue,
  offset: PickledValue,
  shape: PickledValue,
  strides: PickledValue,
  dtype?: string,
): PickledTensor {
  if (!(storage instanceof PickledStorage)) throw badPickle(path, "a tensor's storage", kindOf(storage));
  const type = dtype ?? storage.dtype;
  if (type === undefined) throw badPickle(path, "a tensor's dtype", "untyped bytes");
  const list = (what: string, value: PickledValue) => expectList(path, value).map((side) => size(path, what, side));
  const tensor = new PickledTensor(
    storage,
    type,
    size(path, "a tensor's offset", offset),
    list("a tensor's shape", shape),
    list("a tensor's strides", strides),
  );
  checkView(path, tensor);
  return tensor;
}

function dtypeOf(value: PickledValue): string | undefined {
  return value instanceof Name ? torchDtypes[value.name.replace(/^torch\./, "")] : undefined;
}

function expectTensor(path: string, value: PickledValue): PickledTensor {
  if (value instanceof PickledTensor) return value;
  throw badPickle(path, "a parameter's tensor", kindOf(value));
}

function expectList(path: string, value: PickledValue): PickledValue[] {
  if (Array.isArray(value)) return value;
  throw badPickle(path, "a tuple or list", kindOf(value));
}

/** A length, count or offset. */
function size(path: string, what: string, value: PickledValue): number {
  if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number;
  throw badPickle(path, `${what} as integers from 0 on`, shown(value));
}

function copyList(path: string, value: PickledValue, charge: (elements: number) => void): PickledValue[] {
  const items = value instanceof Set ? [...value] : expectList(path, value);
  charge(items.length);
  return [...items];
}

function buildMap({ path, parameters: [items = []], charge }: Call): PickledValue {
  if (items instanceof Map) {
    charge(items.size);
    return new Map(items);
  }
  const pairs = expectList(path, items);
  charge(pairs.length);
  const map = new Map<PickledValue, PickledValue>();
  for (const pair of pairs) {
    const [key, value] = expectList(path, pair);
    if (key === undefined || value === undefined) throw badPickle(path, "a key with a value", "less");
    map.set(key, value);
  }
  return map;
}

function buildSet({ path, parameters: [items = []], charge }: Call): PickledValue {
  return new Set(copyList(path, items, charge));
}

/** bytes(), bytes([1, 2]), bytes(other), or text whose characters are the bytes (latin1): how protocol 2 writes bytes. */
function buildBytes(path: string, [content = []]: readonly PickledValue[], charge: (n: number) => void): Uint8Array {
  if (typeof content === "string") {
    charge(content.length);
    return Uint8Array.from(Buffer.from(content, "latin1"));
  }
  if (content instanceof Uint8Array) {
    charge(content.byteLength);
    return content.slice();
  }
  const bytes = expectList(path, content);
  charge(bytes.length);
  return Uint8Array.from(bytes, (byte) => size(path, "bytes", byte));
}

/** The number in the bytes of a NumPy scalar. */
function numpyScalar(path: string, dtype: PickledValue, bytes: PickledValue): PickledValue {
  const code = dtype instanceof NumpyDtype ? dtype.code : kindOf(dtype);
  const width = Number(code.slice(1));
  if (!(bytes instanceof Uint8Array) || bytes.byteLength !== width) {
    throw badPickle(path, `the bytes of a NumPy scalar ${code}`, kindOf(bytes));
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, width);
  const exact = (value: bigint) => (Number.isSafeInteger(Number(value)) ? Number(value) : value);
  switch (code) {
    case "f8":
      return view.getFloat64(0, true);
    case "f4":
      return view.getFloat32(0, true);
    case "i8":
      return exact(view.getBigInt64(0, true));
    case "u8":
      return exact(view.getBigUint64(0, true));
    case "i4":
      return view.getInt32(0, true);
    case "u4":
      return view.getUint32(0, true);
    case "i2":
      return view.getInt16(0, true);
    case "u2":
      return view.getUint16(0, true);
    case "i1":
      return view.getInt8(0);
    case "u1":
      return view.getUint8(0);
    case "b1":
      return view.getUint8(0) !== 0;
  }
  throw badPickle(path, "a NumPy scalar that is a number", code);
}
