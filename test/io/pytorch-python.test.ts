// Files that PyTorch itself writes, of both formats, every protocol and every dtype, against the numbers it prints.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { openPytorch } from "#lib/io/pytorch/pytorch-file.js";
import { readFloats, readIntegers } from "#lib/io/stored-numbers.js";
import { openWeights } from "#lib/io/weights.js";
import { temporaryFolder } from "../temporary-folder.js";
import { havePython, python } from "./python.js";

const folder = temporaryFolder();

const code = `
import argparse, collections, json, os, sys, zipfile
from collections import OrderedDict
import numpy as np, torch
folder = sys.argv[1]
torch.manual_seed(0)
base = torch.randn(6, 8)
numbers = torch.tensor([0.0, -0.0, 1.5, -2.25, 65504.0, 1e-7, 6.1e-5, float("inf"), float("nan")])
tensors = OrderedDict()
for name in ["float64", "float32", "float16", "bfloat16"]:
    tensors[name] = numbers.to(getattr(torch, name))
for name in ["int64", "int32", "int16", "int8"]:
    tensors[name] = torch.tensor([-128, 0, 7, 127]).to(getattr(torch, name))
tensors["uint8"] = torch.tensor([0, 255], dtype=torch.uint8)
tensors["bool"] = torch.tensor([True, False])
tensors["large"] = torch.tensor([2**53 - 1, -(2**53 - 1)])
tensors["base"] = base
tensors["transposed"] = base.t()
tensors["permuted"] = torch.randn(2, 3, 4).permute(2, 0, 1)
tensors["column"] = base[:, 3]
tensors["every second"] = base[::2, 1::3]
tensors["expanded"] = torch.randn(3, 1).expand(3, 5)
tensors["scalar"] = torch.tensor(2.5)
tensors["empty"] = torch.empty(0, 4)
tensors["parameter"] = torch.nn.Parameter(torch.randn(3))
attributed = torch.nn.Parameter(torch.randn(2))
attributed.no_decay = True
tensors["parameter with an attribute"] = attributed
model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
for name, value in model.state_dict().items():
    tensors["model." + name] = value
state = model.state_dict()  # an OrderedDict with attributes
for name in list(state):
    del state[name]
for name, value in tensors.items():
    state[name] = value
new = OrderedDict()  # dtypes that only the zip format has
for name in ["uint16", "uint32", "uint64"]:
    new[name] = torch.tensor([0, 5, 60000]).to(getattr(torch, name))
new["float8"] = torch.tensor([1.0]).to(torch.float8_e4m3fn)
new["complex"] = torch.tensor([1j])
args = argparse.Namespace(lr=1e-3, betas=(0.9, 0.95), model="vit", resume=None, seed=2**70, nested=argparse.Namespace(x=1))
optimizer = torch.optim.AdamW(model.parameters())
model(torch.randn(4, 3)).sum().backward()
optimizer.step()
checkpoint = {
    "model": state, "optimizer": optimizer.state_dict(), "epoch": 7, "args": args, "best": np.float64(81.5),
    "count": np.int64(3), "flag": np.bool_(True), "half": np.float32(0.5), "set": {1, 2}, "frozen": frozenset([3]),
    "bytes": b"a\\xff", "array": bytearray(b"xy"), "empty bytes": b"", "default": collections.defaultdict(list, a=[1]),
    "counter": collections.Counter("aab"), "size": torch.Size([2, 3]), "dtype": torch.float16,
    "device": torch.device("cuda", 1), "big": 2**80, "negative": -2**40, "float": 0.1, "type": int,
    "scheduler": torch.optim.lr_scheduler.MultiStepLR(optimizer, [3, 3, 5]).state_dict(),
}
def save(name, value, **options):
    torch.save(value, os.path.join(folder, name), **options)
save("zip.pth", checkpoint)
for protocol in [2, 3, 4, 5]:
    save(f"zip{protocol}.pth", checkpoint, pickle_protocol=protocol)
    save(f"legacy{protocol}.pth", checkpoint, pickle_protocol=protocol, _use_new_zipfile_serialization=False)
save("new.pth", {**new})
torch.serialization.set_crc32_options(False)
save("unchecked.pth", checkpoint)
torch.serialization.set_crc32_options(True)
save("wide.pth", {f"layer.{i}.weight": torch.full((3,), float(i)) for i in range(2500)})

class Evil:
    def __reduce__(self):
        return os.system, ("touch " + os.path.join(folder, "ran"),)
save("evil.pth", {"model": {"a": base}, "args": Evil()})
save("evil-legacy.pth", {"model": {"a": base}, "args": Evil()}, _use_new_zipfile_serialization=False)
save("module.pth", model)
save("quantised.pth", {"a": torch.quantize_per_tensor(base, 0.1, 0, torch.qint8)})
save("sparse.pth", {"a": base.to_sparse()})
save("meta.pth", {"a": torch.empty(3, device="meta")})
save("numpy.pth", {"a": base, "b": np.zeros(3)})
torch.jit.save(torch.jit.script(model), os.path.join(folder, "script.pt"))
with zipfile.ZipFile(os.path.join(folder, "zip.pth")) as read:
    with zipfile.ZipFile(os.path.join(folder, "deflated.pth"), "w", zipfile.ZIP_DEFLATED) as write:
        for entry in read.namelist():
            write.writestr(entry, read.read(entry))
    with zipfile.ZipFile(os.path.join(folder, "big-endian.pth"), "w") as write:
        for entry in read.namelist():
            write.writestr(entry, b"big" if entry.endswith("byteorder") else read.read(entry))

def described(dict):
    return {name: {"shape": list(t.shape), "dtype": str(t.dtype)[6:], "values": [repr(float(x)) for x in t.detach().to(torch.float64).flatten().tolist()]}
            for name, t in dict.items()}
del new["complex"], new["float8"]
json.dump({"tensors": described(tensors), "new": described(new)}, open(os.path.join(folder, "expected.json"), "w"))
`;

interface Described {
  readonly shape: number[];
  readonly dtype: string;
  readonly values: string[];
}

const names: Record<string, string> = {
  float64: "F64",
  float32: "F32",
  float16: "F16",
  bfloat16: "BF16",
  bool: "BOOL",
};
const dtypeOf = (name: string) => names[name] ?? name.replace("uint", "U").replace("int", "I");
const number = (text: string) =>
  text === "inf" ? Number.POSITIVE_INFINITY : text === "nan" ? Number.NaN : Number(text);

describe.runIf(havePython("torch", "numpy"))("PyTorch's own files", () => {
  let expected: Record<"tensors" | "new", Record<string, Described>>;

  beforeAll(() => {
    python(code, folder);
    expected = JSON.parse(readFileSync(join(folder, "expected.json"), "utf8"));
  });

  async function compare(file: string, described: Record<string, Described>) {
    using weights = await openWeights(join(folder, file));
    for (const [name, { shape, dtype, values }] of Object.entries(described)) {
      expect(weights.entry(name), name).toMatchObject({ shape, dtype: dtypeOf(dtype) });
      const floating = /^B?F\d/.test(dtypeOf(dtype));
      const got = floating ? [...readFloats(weights, name)] : readIntegers(weights, name);
      const wanted = values.map(number);
      expect(got, name).toEqual(dtype === "float64" ? wanted.map(Math.fround) : wanted);
      if (dtype === "float64") expect([...(weights.read(name) as Float64Array)], name).toEqual(wanted);
    }
    return weights;
  }

  test.each(["zip", "unchecked", "zip2", "zip3", "zip4", "zip5", "legacy2", "legacy3", "legacy4", "legacy5"])(
    "%s.pth: every tensor has PyTorch's numbers",
    async (name) => {
      const weights = await compare(`${name}.pth`, expected.tensors);
      expect(weights.names).toEqual(Object.keys(expected.tensors));
      expect(weights.format).toBe(name.startsWith("legacy") ? "pytorch-legacy" : "pytorch-zip");
      expect(weights.container).toBe("model");
      const { epoch, best, count, flag, half, size, device, big, negative, float } = Object.fromEntries(
        weights.metadata,
      );
      expect({ epoch, best, count, flag, half }).toEqual({ epoch: 7, best: 81.5, count: 3, flag: true, half: 0.5 });
      expect({ size, device, big }).toEqual({ size: [2, 3], device: "cuda:1", big: 2n ** 80n });
      expect({ negative, float }).toEqual({ negative: -(2 ** 40), float: 0.1 });
      const args = { lr: 0.001, betas: [0.9, 0.95], model: "vit", resume: null, seed: 2n ** 70n };
      expect(Object.fromEntries(weights.args as Map<string, unknown>)).toEqual(args);
    },
  );

  test("unsigned integers are read, 8-bit floats and complex numbers listed", async () => {
    const weights = await compare("new.pth", expected.new);
    expect(weights.entry("float8")).toEqual({ dtype: "F8_E4M3", shape: [1], byteLength: 1 });
    expect(weights.entry("complex")).toEqual({ dtype: "C64", shape: [1], byteLength: 8 });
    expect(() => weights.read("complex")).toThrow(/dtype out of/);
  });

  test("2500 tensors open in well under a second", async () => {
    const from = performance.now();
    using weights = await openWeights(join(folder, "wide.pth"));
    console.log(`2500 tensors: ${(performance.now() - from).toFixed(0)} ms`);
    expect([...readFloats(weights, "layer.2499.weight")]).toEqual([2499, 2499, 2499]);
  });

  test.each([
    ["evil.pth", /wants to run "posix.system"/],
    ["evil-legacy.pth", /wants to run "posix.system"/],
    ["module.pth", /wants to run "torch.nn.modules.container.Sequential"/],
    ["quantised.pth", /a quantised tensor/],
    ["sparse.pth", /a sparse tensor/],
    ["meta.pth", /a tensor without data/],
    ["numpy.pth", /wants to run "numpy._core.multiarray._reconstruct"/],
    ["script.pt", /TorchScript program/],
    ["deflated.pth", /stored as it is.*method 8/],
    ["big-endian.pth", /little-endian numbers.*"big"/],
  ])("%s is refused", async (name, message) => {
    await expect(openPytorch(join(folder, name))).rejects.toThrow(message);
    expect(existsSync(join(folder, "ran"))).toBe(false);
  });
});
