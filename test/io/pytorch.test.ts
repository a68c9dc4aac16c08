import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { VideomaeError } from "#lib/errors.js";
import { openPytorch } from "#lib/io/pytorch/pytorch-file.js";
import { temporaryFolder } from "../temporary-folder.js";
import { f32, f32Tensor, global, pickle, pushed, pytorchLegacy, pytorchZip, Raw, zip } from "./pytorch-writer.js";

const folder = temporaryFolder();
let serial = 0;

/** Opens bytes as a file. */
function open(bytes: Buffer, options?: { container?: string }) {
  const path = join(folder, `${serial++}.pth`);
  writeFileSync(path, bytes);
  return openPytorch(path, options);
}

/** The numbers of an f32 tensor. */
function floats(file: Awaited<ReturnType<typeof openPytorch>>, name: string): number[] {
  const target = new Float32Array(file.entry(name).byteLength / 4);
  file.readBytes(name, new Uint8Array(target.buffer));
  return [...target];
}

const six = f32(1, 2, 3, 4, 5, 6);
const dict = (entries: Record<string, unknown>) => new Map(Object.entries(entries));
const weights = dict({ a: f32Tensor("0", [2, 3]) });
const raw = (...parts: readonly (string | Buffer | readonly number[])[]) =>
  new Raw(
    Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part, "latin1") : Buffer.from(part)))),
  );

test.each(["archive", "checkpoint-1"])("a zip file with the folder %s", async (name) => {
  const file = await open(pytorchZip(weights, { 0: six }, { folder: name, byteorder: "little" }));
  expect(file.format).toBe("pytorch-zip");
  expect(file.names).toEqual(["a"]);
  expect(file.entry("a")).toEqual({ dtype: "F32", shape: [2, 3], byteLength: 24 });
  expect(floats(file, "a")).toEqual([1, 2, 3, 4, 5, 6]);
  file.close();
  expect(() => floats(file, "a")).toThrow(/closed/);
});

test("the format before PyTorch 1.6", async () => {
  const root = dict({ a: f32Tensor("94", [2, 3]), b: f32Tensor("95", [1]) });
  const storages = { 95: { elements: 1, bytes: f32(9) }, 94: { elements: 6, bytes: six } };
  const file = await open(pytorchLegacy(root, storages));
  expect(file.format).toBe("pytorch-legacy");
  expect(floats(file, "a")).toEqual([1, 2, 3, 4, 5, 6]);
  expect(floats(file, "b")).toEqual([9]);
});

test("views: transposed, cut out, repeated, of one storage, empty and scalar", async () => {
  const of = (shape: number[], strides: number[], offset = 0) => ({ ...f32Tensor("0", [6]), shape, strides, offset });
  const root = dict({
    transposed: of([3, 2], [1, 3]),
    column: of([2], [3], 1),
    row: of([3], [1], 3),
    repeated: of([2, 2], [0, 1]),
    "one side": of([1, 6], [77, 1]),
    empty: of([0, 3], [3, 1]),
    scalar: of([], [], 5),
  });
  const file = await open(pytorchZip(root, { 0: six }));
  expect(floats(file, "transposed")).toEqual([1, 4, 2, 5, 3, 6]);
  expect(floats(file, "column")).toEqual([2, 5]);
  expect(floats(file, "row")).toEqual([4, 5, 6]);
  expect(floats(file, "repeated")).toEqual([1, 2, 1, 2]);
  expect(floats(file, "one side")).toEqual([1, 2, 3, 4, 5, 6]);
  expect(floats(file, "empty")).toEqual([]);
  expect(floats(file, "scalar")).toEqual([6]);
  const part = new Float32Array(2);
  for (const [offset, expected] of [
    [4, [4, 2]],
    [16, [3, 6]],
  ] as const) {
    file.readBytes("transposed", new Uint8Array(part.buffer), offset);
    expect([...part]).toEqual(expected);
  }
  expect(() => file.readBytes("row", new Uint8Array(8), 8)).toThrow(/range inside its 12 bytes/);
});

test("of several dicts the one named model is taken, then module, then state_dict; any other when it is named", async () => {
  const b = dict({ b: f32Tensor("0", [6]) });
  const bytes = pytorchZip(dict({ epoch: 3, state_dict: b, module: b, model: weights, model_ema: b, note: "é" }), {
    0: six,
  });
  const file = await open(bytes);
  expect([file.container, file.names]).toEqual(["model", ["a"]]);
  expect(file.containers).toEqual(["state_dict", "module", "model", "model_ema"]);
  expect(Object.fromEntries(file.metadata)).toEqual({ epoch: 3, note: "é" });
  expect((await open(bytes, { container: "model_ema" })).names).toEqual(["b"]);
  await expect(open(bytes, { container: "model_emma" })).rejects.toThrow(/did you mean "model_ema"/);
  expect((await open(pytorchZip(dict({ state_dict: b, module: weights }), { 0: six }))).container).toBe("module");
  expect((await open(pytorchZip(dict({ state_dict: b }), { 0: six }))).container).toBe("state_dict");
});

test("a dict of tensors may hold other things, which are listed", async () => {
  const file = await open(pytorchZip(dict({ a: f32Tensor("0", [6]), steps: 7, nested: weights }), { 0: six }));
  expect(file.container).toBeUndefined();
  expect(file.others).toEqual(["steps", "nested"]);
});

test.each([
  ["a list", [1], /dict of tensors.*Array/],
  ["no tensors", dict({ epoch: 1 }), /tensors by name.*dict of epoch/],
  ["tensors under another name", dict({ ema: weights }), /tensors under ema: name one as container/],
])("no weights: %s", async (_, root, message) => {
  await expect(open(pytorchZip(root, { 0: six }))).rejects.toThrow(message);
});

test("arguments of the training", async () => {
  const fields = pushed(dict({ lr: 0.001, betas: [0.9, 0.95], model: "vit", none: null, tensor: f32Tensor("0", [6]) }));
  const args = raw(global("argparse", "Namespace"), ")", [0x81], fields, "b");
  const file = await open(pytorchZip(dict({ model: weights, args }), { 0: six }));
  const expected = { lr: 0.001, betas: [0.9, 0.95], model: "vit", none: null };
  expect(Object.fromEntries(file.args as Map<string, unknown>)).toEqual(expected);
});

test("a field called __proto__ is a field", async () => {
  const args = raw(global("argparse", "Namespace"), ")", [0x81], pushed(dict({ ["__proto__"]: 7 })), "b");
  const file = await open(
    pytorchZip(
      new Map<string, unknown>([
        ["__proto__", f32Tensor("0", [6])],
        ["args", args],
      ]),
      { 0: six },
    ),
  );
  expect(file.names).toEqual(["__proto__"]);
  expect(file.args?.get("__proto__")).toBe(7);
  expect(({} as Record<string, unknown>)["0"]).toBeUndefined();
});

test.each([
  [
    "os.system",
    raw(global("os", "system"), pushed("true"), [0x85], "R"),
    /wants to run "os.system".*nothing of it was run/,
  ],
  ["by a name on the stack", raw(pushed("posix"), pushed("system"), [0x93]), /wants to run "posix.system"/],
  ["a class that is only named", raw(global("__main__", "Model")), /wants to run "__main__.Model"/],
  ["a name of Object.prototype", raw(global("torch", "constructor")), /wants to run "torch.constructor"/],
  ["eval", raw(global("builtins", "eval"), pushed("1"), [0x85], "R"), /wants to run "builtins.eval"/],
  ["nested pickles", raw(global("torch.storage", "_load_from_bytes")), /wants to run/],
  ["calling a constant", raw(global("torch", "float32"), ")R"), /a call of torch.float32/],
  ["calling text", raw(pushed("f"), ")R"), /name of what to build.*string/],
  ["quantised", raw(global("torch._utils", "_rebuild_qtensor")), /a quantised tensor/],
  ["quantised storage", raw(global("torch", "QInt8Storage")), /a quantised tensor/],
  ["sparse", raw(global("torch._utils", "_rebuild_sparse_tensor")), /a sparse tensor/],
  ["meta", raw(global("torch._utils", "_rebuild_meta_tensor_no_storage")), /without data/],
  ["text opcode of protocol 0", raw("I12\n"), /opcode 0x49/],
  ["extension code", raw([0x82, 1]), /opcode 0x82/],
  ["protocol 6", raw([0x80, 6]), /protocol 2 to 5.*6/],
  ["nothing on the stack", raw("a"), /1 values on the stack/],
  ["no mark", raw("]", "e"), /a mark on the stack/],
  ["two values at the end", raw("NN"), /one value at the end/],
  ["memo that was not set", raw("h", [9]), /number 9/],
  ["a list that contains itself", raw("]q", [0], "h", [0], "a"), /contains itself/],
  ["a dict in its own tuple", raw("}q", [0], pushed("k"), "h", [0], [0x85], "s"), /contains itself/],
  ["depth", raw("]".repeat(200), "a".repeat(199)), /at most 100 levels/],
  ["too many containers", raw("(", "]".repeat(300_000), "t"), /too much of it \(containers\)/],
  ["too long a stack", raw("(", "N".repeat(1_100_000), "t"), /too much of it \(stack\)/],
  [
    "a list copied many times",
    raw(
      global("builtins", "list"),
      "q",
      [0],
      "]q",
      [1],
      "(",
      "N".repeat(100_000),
      "e0",
      "(",
      Buffer.concat(Array.from({ length: 100 }, () => Buffer.from("h\0h\x01\x85R", "latin1"))),
      "t",
    ),
    /too much of it \(copies\)/,
  ],
  [
    "big-endian NumPy",
    raw(global("numpy", "dtype"), pushed("f8"), [0x85], "R", "(", pushed(3), pushed(">"), "tb"),
    /little-endian.*">"/,
  ],
  ["text that is none", raw("X", [1, 0, 0, 0, 0xff]), /UTF-8/],
  ["text longer than the file", raw("X", [255, 255, 255, 127]), /more bytes of a pickle/],
])("refuses: %s", async (_, value, message) => {
  const opened = open(pytorchZip(value, {}));
  await expect(opened).rejects.toThrow(message);
  await expect(opened).rejects.toThrow(VideomaeError);
});

test("lists that share lists are walked through once, and not written out", async () => {
  const pair = (level: number) => ["(h", [level - 1], "h", [level - 1], "tq", [level]] as const;
  const bomb = raw("]q", [0], ...Array.from({ length: 90 }, (_, i) => pair(i + 1)).flat());
  const last = Buffer.from([0x68, 90]); // BINGET
  const dictOf = (...items: Buffer[]) =>
    raw("}(", pushed("built"), "(", bomb.code, "t", ...items, pushed("a"), pushed(f32Tensor("0", [6])), "u");
  await expect(open(pytorchZip(dictOf(pushed("bomb"), last), { 0: six }))).rejects.toThrow(/at most 100000 values/);
  const asKey = dictOf(last, pushed(1));
  await expect(open(pytorchZip(asKey, { 0: six }))).rejects.toThrow(/at most 100000 values/);
  const calls = [
    raw(global("torch", "device"), "(", bomb.code, "tR"),
    raw(global("numpy", "dtype"), pushed("f8"), [0x85], "R", "(", pushed(3), bomb.code, "tb"),
    raw(global("torch", "Size"), "(", bomb.code, last, [0x87], "R"),
  ];
  for (const call of calls) await expect(open(pytorchZip(call, {}))).rejects.toThrow(VideomaeError);
});

test.each([
  ["longer than its storage", { ...f32Tensor("0", [6]), shape: [7], strides: [1] }, /elements up to byte 28/],
  ["offset past the end", { ...f32Tensor("0", [6]), offset: 1 }, /elements up to byte 28/],
  ["stride past the end", { ...f32Tensor("0", [6]), shape: [2], strides: [6] }, /elements up to byte 28/],
  ["huge", { ...f32Tensor("0", [6]), shape: [2 ** 30, 2 ** 30], strides: [0, 0] }, /storage of 24 bytes/],
  ["repeated a million times", { ...f32Tensor("0", [6]), shape: [1e6], strides: [0] }, /at most 8 times the file/],
  ["negative stride", { ...f32Tensor("0", [6]), shape: [2], strides: [-1] }, /strides as integers from 0/],
  ["shape and strides of unequal length", { ...f32Tensor("0", [6]), shape: [6], strides: [] }, /stride for each/],
  ["another storage", f32Tensor("1", [6]), /storage "1".*24 bytes.*no such/],
  ["a longer storage", f32Tensor("0", [7]), /storage "0".*28 bytes.*24 bytes/],
  ["no class of storages", { ...f32Tensor("0", [6]), storage: "float32" }, /class of storages/],
])("refuses a tensor: %s", async (_, value, message) => {
  await expect(open(pytorchZip(dict({ a: value }), { 0: six }))).rejects.toThrow(message);
});

test("damaged numbers are refused when they are read, unless the writer made no checksums", async () => {
  const bytes = pytorchZip(weights, { 0: six });
  bytes[bytes.indexOf(Buffer.from(six))] ^= 1;
  const file = await open(bytes);
  expect(() => floats(file, "a")).toThrow(/storage "0".*checksum/);
  const unchecked = await open(pytorchZip(weights, { 0: six }, { checksums: false }));
  expect(floats(unchecked, "a")).toEqual([1, 2, 3, 4, 5, 6]);
});

test.each([
  ["compressed entries", pytorchZip(weights, { 0: six }, { method: 8 }), /stored as it is.*method 8/],
  ["big-endian", pytorchZip(weights, { 0: six }, { byteorder: "big" }), /little-endian numbers.*"big"/],
  [
    "TorchScript",
    pytorchZip(weights, { 0: six }, { more: { "code/model.py": Buffer.from("x") } }),
    /TorchScript program/,
  ],
  ["another zip file", zip({ "a/b": six }), /written by torch.save/],
  ["two objects", zip({ "a/data.pkl": pickle(1), "b/data.pkl": pickle(1) }), /one data.pkl.*2 of 2/],
  ["cut short", pytorchZip(weights, { 0: six }).subarray(0, -30), /whole zip file/],
  [
    "legacy, big-endian",
    pytorchLegacy(weights, { 0: { elements: 6, bytes: six } }, { little: false }),
    /big-endian machine/,
  ],
  ["legacy, cut short", pytorchLegacy(weights, { 0: { elements: 6, bytes: six } }).subarray(0, -1), /24 more bytes/],
  [
    "legacy, two objects",
    pytorchLegacy(weights, { 0: { elements: 6, bytes: six } }, { after: pickle(1) }),
    /several objects/,
  ],
  [
    "legacy, length that differs",
    pytorchLegacy(weights, { 0: { elements: 5, bytes: six.subarray(4) } }),
    /storage "0".*24/,
  ],
  ["legacy, no storages", pytorchLegacy(weights, {}), /no such storage/],
])("refuses a file: %s", async (_, bytes, message) => {
  const opened = open(bytes);
  await expect(opened).rejects.toThrow(message);
  await expect(opened).rejects.toThrow(VideomaeError);
});

test("a zip file whose entries overlap, occur twice, or lie past every position is refused", async () => {
  const bytes = pytorchZip(weights, { 0: six });
  const twice = zip({ "a/data.pkl": pickle(1), "a/data.pkX": pickle(1) });
  for (let at = twice.indexOf("pkX"); at >= 0; at = twice.indexOf("pkX")) twice[at + 2] = "l".charCodeAt(0);
  await expect(open(twice)).rejects.toThrow(/data.pkl.*occurs once/);
  const overlapping = Buffer.from(bytes);
  const directory = overlapping.indexOf("PK\x01\x02");
  const second = overlapping.indexOf("PK\x01\x02", directory + 4);
  overlapping.writeUInt32LE(overlapping.readUInt32LE(directory + 42), second + 42);
  await expect(open(overlapping)).rejects.toThrow(/an overlap/);
  const locator = Buffer.alloc(20, 0xff);
  locator.write("PK\x06\x07");
  const end = bytes.byteLength - 22;
  const far = Buffer.concat([bytes.subarray(0, end), locator, bytes.subarray(end)]);
  await expect(open(far)).rejects.toThrow(/56 bytes at 18446744073709552000/);
});
