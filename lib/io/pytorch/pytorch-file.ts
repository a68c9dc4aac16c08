// The tensors of a PyTorch file (.pth, .pt, .bin). The saved object is a dict: of tensors, or one that holds such a dict
// beside optimiser, epoch and arguments. Which of its dicts are the weights is the rule of the official code, with one
// more name that detection toolboxes use.

import { nearest, VideomaeError } from "../../errors.js";
import { DamagedFileError } from "../damaged-file.js";
import { FileBytes } from "../file-bytes.js";
import { checkRange, noSuchTensor, type StoredEntry, type TensorFile } from "../tensor-file.js";
import { badPickle, kindOf, Namespace, PickledTensor, type PickledValue, shown } from "./pickle-values.js";
import { readPytorchLegacy } from "./pytorch-legacy.js";
import type { PytorchStorages } from "./pytorch-storages.js";
import { readPytorchZip } from "./pytorch-zip.js";
import { viewBytes } from "./strided-view.js";

/** A saved object, and the storages of its tensors. */
export interface PytorchObject {
  readonly format: "pytorch-zip" | "pytorch-legacy";
  readonly root: PickledValue;
  readonly storages: PytorchStorages;
}

/** A number, text or truth value, or a list of such, that a checkpoint holds beside its tensors. */
export type PlainValue = null | boolean | number | bigint | string | readonly PlainValue[];

/** The keys of weights, in the order in which they are looked for. */
const weightKeys = ["model", "module", "state_dict"];

/** Tensors may be views of one storage, but all of them together not many times the file. */
const MAX_EXPANSION = 8;

export class PytorchFile implements TensorFile {
  readonly path: string;
  readonly format: "pytorch-zip" | "pytorch-legacy";
  /** The key of the dict that the tensors come from; undefined when the saved object is that dict. */
  readonly container: string | undefined;
  /** The keys of all dicts of tensors in the file. */
  readonly containers: readonly string[];
  readonly names: readonly string[];
  /** Names in the container that are no tensors. */
  readonly others: readonly string[];
  /** Plain values of the saved object, e.g. `epoch`. */
  readonly metadata: ReadonlyMap<string, PlainValue>;
  /** Plain values of the argparse namespace under `args`. */
  readonly args: ReadonlyMap<string, PlainValue> | undefined;
  readonly #file: FileBytes;
  readonly #storages: PytorchStorages;
  readonly #tensors = new Map<string, PickledTensor>();

  /** @internal Use `openPytorch`. */
  constructor(file: FileBytes, { format, root, storages }: PytorchObject, wanted: string | undefined) {
    this.path = file.path;
    this.format = format;
    this.#file = file;
    this.#storages = storages;
    if (!(root instanceof Map)) throw badPickle(file.path, "a dict of tensors", kindOf(root));
    this.containers = textKeys(root).filter((key) => holdsTensors(root.get(key) as PickledValue));
    this.container = chooseContainer(file.path, root, this.containers, wanted);
    const dict = this.container === undefined ? root : (root.get(this.container) as Map<PickledValue, PickledValue>);
    const others: string[] = [];
    for (const [name, value] of dict) {
      if (typeof name === "string" && value instanceof PickledTensor) this.#tensors.set(name, value);
      else others.push(typeof name === "string" ? name : shown(name));
    }
    this.others = others;
    this.names = [...this.#tensors.keys()];
    this.#checkExpansion();
    this.metadata = plainValues(file.path, root);
    const args = root.get("args");
    this.args = args instanceof Namespace ? plainValues(file.path, args.fields) : undefined;
  }

  has(name: string): boolean {
    return this.#tensors.has(name);
  }

  entry(name: string): StoredEntry {
    const tensor = this.#tensor(name);
    return { dtype: tensor.dtype, shape: tensor.shape, byteLength: viewBytes(tensor) };
  }

  readBytes(name: string, target: Uint8Array, offset = 0): void {
    const tensor = this.#tensor(name);
    checkRange(this.path, name, viewBytes(tensor), offset, target.byteLength);
    if (target.byteLength > 0) this.#storages.read(tensor, target, offset);
  }

  close(): void {
    this.#file.close();
  }

  #tensor(name: string): PickledTensor {
    const tensor = this.#tensors.get(name);
    if (tensor) return tensor;
    throw noSuchTensor(this.path, name, this.names);
  }

  #checkExpansion(): void {
    let total = 0;
    for (const tensor of this.#tensors.values()) total += viewBytes(tensor);
    if (total <= MAX_EXPANSION * this.#file.size) return;
    throw new DamagedFileError({
      op: this.path,
      expected: `tensors of at most ${MAX_EXPANSION} times the file's ${this.#file.size} bytes`,
      got: `${total} bytes in views of the same storages`,
      hint: "save copies of the tensors (tensor.clone() of PyTorch)",
    });
  }
}

/**
 * Opens a file that torch.save has written, of either format, without running anything in it.
 *
 * @param options.container  which dict of tensors; by default `model`, `module`, `state_dict`, or the saved object itself
 * @throws VideomaeError when it is damaged, wants to run something, or holds no weights
 */
export async function openPytorch(
  path: string,
  { container }: { readonly container?: string } = {},
): Promise<PytorchFile> {
  const file = FileBytes.open(path);
  try {
    const first = new Uint8Array(Math.min(2, file.size));
    file.read(first, 0);
    const zip = first[0] === 0x50 && first[1] === 0x4b; // "PK"
    return new PytorchFile(file, zip ? await readPytorchZip(file) : readPytorchLegacy(file), container);
  } catch (error) {
    file.close();
    throw error;
  }
}

function textKeys(dict: ReadonlyMap<PickledValue, PickledValue>): string[] {
  return [...dict.keys()].filter((key) => typeof key === "string");
}

function holdsTensors(value: PickledValue): boolean {
  if (!(value instanceof Map)) return false;
  for (const [key, item] of value) if (typeof key === "string" && item instanceof PickledTensor) return true;
  return false;
}

function chooseContainer(
  path: string,
  root: Map<PickledValue, PickledValue>,
  containers: readonly string[],
  wanted: string | undefined,
): string | undefined {
  if (wanted !== undefined) {
    if (containers.includes(wanted)) return wanted;
    const near = nearest(wanted, containers);
    throw new VideomaeError({
      op: `${path}: container`,
      expected: containers.length > 0 ? `one of ${containers.join(", ")}` : "a file with containers",
      got: `"${wanted}"`,
      hint: near ? `did you mean "${near}"?` : "leave it out",
    });
  }
  const found = weightKeys.find((key) => containers.includes(key));
  if (found !== undefined || holdsTensors(root)) return found;
  throw new VideomaeError({
    op: path,
    expected: `tensors by name, or under ${weightKeys.join(", ")}`,
    got: `a dict of ${textKeys(root).slice(0, 10).join(", ") || "nothing"}`,
    hint: containers.length > 0 ? `there are tensors under ${containers.join(", ")}: name one as container` : undefined,
  });
}

/** The plain values of a dict. Lists may share lists, so their number is limited, not only their depth. */
function plainValues(path: string, dict: ReadonlyMap<PickledValue, PickledValue>): ReadonlyMap<string, PlainValue> {
  let left = 100_000;
  const plain = (value: PickledValue): PlainValue | undefined => {
    if (left-- <= 0) throw badPickle(path, "at most 100000 values beside the tensors", "more");
    if (value === null || typeof value !== "object") return value;
    if (!Array.isArray(value)) return undefined;
    const items = value.map(plain);
    return items.includes(undefined) ? undefined : (items as PlainValue[]);
  };
  const values = new Map<string, PlainValue>();
  for (const [key, value] of dict) {
    const converted = plain(value);
    if (typeof key === "string" && converted !== undefined) values.set(key, converted);
  }
  return values;
}
