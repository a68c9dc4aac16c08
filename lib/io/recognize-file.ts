// Which reader a file is for, by how it begins, and what people take for weights that is something else.

import { VideomaeError } from "../errors.js";
import { FileBytes } from "./file-bytes.js";
import { isLegacyPytorch } from "./pytorch/pytorch-legacy.js";

interface Mistake {
  /** How the file begins, a character a byte; `at` is where, default 0. */
  readonly begins: readonly string[];
  readonly at?: number;
  readonly is: string;
  readonly hint: string;
}

const unpack = "unpack it";
const other = "give the PyTorch or safetensors weights of the model";

const mistakes: readonly Mistake[] = [
  {
    begins: ["version https://git-lfs"],
    is: "a Git LFS pointer, which stands for a file",
    hint: "fetch the file itself with git lfs pull",
  },
  {
    begins: ["<!DOCTYPE", "<!doctype", "<html", "<HTML"],
    is: "a web page",
    hint: "download the file itself; its address may ask you to log in or to accept terms",
  },
  { begins: ["\x1f\x8b", "\xfd7zXZ", "BZh", "7z\xbc\xaf", "Rar!", "\x28\xb5\x2f\xfd"], is: "an archive", hint: unpack },
  {
    begins: ["ustar"],
    at: 257,
    is: "a tar archive",
    hint: `${unpack}, or save it again by a PyTorch newer than 0.1.10`,
  },
  { begins: ["\x89HDF"], is: "an HDF5 file", hint: other },
  { begins: ["GGUF"], is: "a GGUF file", hint: other },
  { begins: ["\x93NUMPY"], is: "a NumPy array", hint: other },
  {
    begins: ["\x80\x02", "\x80\x03", "\x80\x04", "\x80\x05"],
    is: "a pickle that torch.save did not write",
    hint: "save a dict of tensors with torch.save",
  },
];

/**
 * The reader for a file; safetensors, which has no mark of its own, for all that is nothing known.
 * @throws VideomaeError when the file is something else
 */
export function recognizeFile(path: string): "pytorch" | "safetensors" {
  const file = FileBytes.open(path);
  try {
    const head = new Uint8Array(Math.min(512, file.size));
    file.read(head, 0);
    const text = Buffer.from(head).toString("latin1");
    if (text.startsWith("PK\x03\x04") || isLegacyPytorch(head)) return "pytorch";
    if (text[8] === "{") return "safetensors";
    const mistake = mistakes.find(({ begins, at = 0 }) => begins.some((mark) => text.startsWith(mark, at)));
    if (mistake === undefined) return "safetensors";
    throw new VideomaeError({ op: path, expected: "weights", got: mistake.is, hint: mistake.hint });
  } finally {
    file.close();
  }
}
