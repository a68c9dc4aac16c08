// Calls every function of the native module with broken arguments, thousands of times, from one seed. Prints a count of
// what happened; anything but a result or an Error is thrown, and a crash shows in the exit status.
//
//   node test/addon/fuzz-native.mjs [calls] [seed] [file.node]

import { createRequire } from "node:module";
import net from "node:net";
import path from "node:path";
import { findBinary } from "#lib/addon/find-binary.js";
import { RandomStream } from "#lib/random.js";
import { nativeCalls } from "./native-calls.mjs";

const [calls = "6000", seed = "1", file] = process.argv.slice(2);
const require = createRequire(import.meta.url);
const native = file ? require(path.resolve(file)) : findBinary().binary.module;

const stream = new RandomStream(Number(seed), "fuzz-native");
const chance = (p) => stream.uniform() < p;
const pick = (list) => list[stream.integer(list.length)];

// ---- operands ----

const arrays = {
  f64: Float64Array,
  f32: Float32Array,
  bf16: Uint16Array,
  u8: Uint8Array,
  i32: Int32Array,
  bool: Uint8Array,
};
const dtypes = Object.keys(arrays);
const handles = [];
let dtype = "f32";

function tensor(shape, type, value) {
  const count = shape.reduce((a, b) => a * b, 1);
  const handle = native.fromArray(Object.assign(new arrays[type](count)).map(value), shape, type);
  handles.push(handle);
  return handle;
}
const anything = () => (chance(0.02) ? pick([Number.NaN, Number.POSITIVE_INFINITY, 1e30]) : stream.uniform() * 4 - 2);
const real = (shape) => tensor(shape, dtype, anything);
const f64 = (shape, value = anything) => tensor(shape, "f64", value);
const bf16 = (shape) => tensor(shape, "bf16", () => stream.integer(65536)); // any bits
const bytes = (shape) => tensor(shape, "u8", () => stream.integer(256));
const ints = (shape, limit) => {
  const wild = chance(0.1);
  return tensor(shape, "i32", () =>
    wild && chance(0.3) ? pick([-1, limit, 2 ** 31 - 1, -(2 ** 31)]) : stream.integer(limit),
  );
};
const disposed = () => {
  const handle = tensor([3], "f32", anything);
  native.dispose(handle);
  return handle;
};
const emptied = (handle) => {
  const view = native.view(handle, 0, [0]);
  handles.push(view);
  return view;
};
const anyShape = () => Array.from({ length: pick([0, 1, 2, 3, 5, 8]) }, () => pick([0, 1, 2, 3]));

// ---- junk ----

const thrower = (what) => ({
  get [what]() {
    throw new Error(`the getter of ${what}`);
  },
});
/** An array whose element getter disposes of tensors in the middle of the reading. */
const disposer = (values) => {
  const array = [...values];
  Object.defineProperty(array, 0, {
    get() {
      for (const handle of handles) native.dispose(handle);
      return values[0] ?? 1;
    },
  });
  return array;
};
const server = net.createServer().listen(0);
const foreign = server._handle; // another module's wrapped object
const huge = [2 ** 47, 2 ** 52, 2 ** 53, -(2 ** 53), 1e300, Number.NaN, Number.POSITIVE_INFINITY, -1, 0.5];
const junk = [
  () => undefined,
  () => null,
  () => pick(huge),
  () => pick([0, 1, 2, 3]),
  () => "",
  () => "f32",
  () => "\ud800".repeat(50),
  () => Symbol("s"),
  () => 10n,
  () => true,
  () => () => 1,
  () => ({}),
  () => [],
  () => [pick(huge), 2],
  () => [pick(huge), pick(huge), pick(huge)],
  () => [0, pick(huge), pick(huge)],
  () => new Array(2 ** 32 - 1),
  () => new Array(100).fill(1),
  () => Object.assign(new Array(2), { 1: 1 }),
  () => disposer([1, 2]),
  () => new Proxy([1, 2], {}),
  () => new Proxy({}, { get: () => pick(handles) ?? 1, has: () => true, ownKeys: () => ["x", "y"] }),
  () =>
    new Proxy([], {
      get: () => {
        throw new Error("a proxy");
      },
    }),
  () => foreign,
  () => new Date(0),
  () => Object.create(pick(handles) ?? null),
  () => new Proxy(pick(handles) ?? {}, {}),
  () => new Float32Array(3),
  () => new Uint8Array(new SharedArrayBuffer(4)),
  () => new DataView(new ArrayBuffer(8)),
  () => structuredClone(new ArrayBuffer(8), {}),
  () => detached(),
  () => thrower("x"),
  () => disposed(),
  () => tensor(anyShape(), pick(dtypes), () => stream.integer(3)),
  () => tensor(pick([[], [1, 1, 1, 1, 1, 1, 1, 1], [0], [2, 0, 3]]), pick(dtypes), () => 1),
];
function detached() {
  const array = new Float32Array(4);
  structuredClone(array.buffer, { transfer: [array.buffer] });
  return array;
}
const anyJunk = () => pick(junk)();

// ---- breaking a call ----

/** Changes one thing of a good argument object. */
function broken(args) {
  const keys = Object.keys(args);
  const key = pick(keys);
  const others = () => handles.filter((h) => h !== args[key]);
  const mutations = [
    () => ({ ...args, [key]: anyJunk() }),
    () => ({ ...args, [key]: anyJunk() }),
    () => ({ ...args, [key]: pick(others()) ?? anyJunk() }),
    () => ({ ...args, [key]: disposed() }),
    () => ({ ...args, [anyJunk.name]: 1 }),
    () => ({ ...args, skip: pick([["y"], ["nothing"], [Symbol("s")], [[]], "gradX", new Array(2 ** 32 - 1), [null]]) }),
    () => ({ ...args, [Symbol("s")]: 1 }),
    () => Object.fromEntries(keys.filter((k) => k !== key).map((k) => [k, args[k]])),
    () => Object.fromEntries(keys.map((k) => [k, handles.includes(args[k]) ? (args[key] ?? args[k]) : args[k]])),
    () => Object.fromEntries(keys.map((k) => [k, handles.includes(args[k]) ? emptied(args[k]) : args[k]])),
    () => ({ ...args, ...thrower(key), ...Object.defineProperty({}, key, { get: thrower, enumerable: false }) }),
    () =>
      Object.defineProperty({ ...args }, key, {
        get: () => {
          throw new Error("a getter");
        },
        enumerable: true,
      }),
    () =>
      Object.defineProperty({ ...args }, key, {
        enumerable: true,
        get() {
          for (const handle of handles) native.dispose(handle);
          return args[key];
        },
      }),
    () => Object.fromEntries(keys.map((k) => [k, chance(0.5) ? anyJunk() : args[k]])),
    () => new Proxy(args, {}),
    () => Object.create(args),
  ];
  return pick(mutations)();
}

/** Whether the emulator was built, so that another device than the CPU can be misused too. */
const hasEmulator = (() => {
  try {
    native.dispose(native.zeros([1], "f32", "emu"));
    return true;
  } catch {
    return false;
  }
})();
const devices = hasEmulator ? ["cpu", "emu", undefined] : ["cpu", undefined];
const device = () => pick(devices);
const arenas = [native.createArena(), native.createArena("cpu"), native.createArena(pick(devices))];
const plain = {
  fromArray: () => [new Float32Array(6), [2, 3], "f32", device()],
  zeros: () => [[2, 3], pick(dtypes), device()],
  readInto: () => [real([2, 3]), new arrays[dtype](6)],
  readLater: () => [native.copyTo(real([2, 3]), device()), new arrays[dtype](6)],
  write: () => [real([2, 3]), new arrays[dtype](6)],
  copyTo: () => [real([2, 3]), device()],
  assign: () => [real([2, 3]), real([2, 3])],
  version: () => [real([2, 3])],
  view: () => [real([2, 3]), pick([0, 1, 3]), pick([[3], disposer([3]), [3, 1]])],
  dispose: () => [real([2])],
  describe: () => [real([2])],
  devices: () => [device()],
  synchronize: () => [device()],
  matrixLibrary: () => [device()],
  awaitsKernels: () => [device(), "fuzz"],
  chooseKernels: () => [device(), pick(["", "gemm = mma-large", "gemm nt 2 3 4 = mma-small\n", "gemm"])],
  kernelChoice: () => [device(), pick(["", "gemm", "gemm nt 2 3 4"])],
  kernelWorks: () => [device()],
  measureKernels: () => [device(), chance(0.5)],
  kernelMeasurements: () => [device()],
  memory: () => [device()],
  resetPeak: () => [device()],
  emptyCache: () => [device()],
  threads: () => [pick([undefined, 1, 2, 3])],
  singleThreaded: () => [chance(0.5)],
  instructionSet: () => [pick([undefined, "portable", "avx2", "avx512", "avx512bf16", "amx"])],
  createArena: () => [device()],
  createGraph: () => [device()],
  createStaging: () => [device(), [{ shape: [2], dtype }]],
  rehearse: () => [rehearsed],
};

/** A call whose results have no memory behind them: whatever meets them later must notice. */
function rehearsed() {
  const op = pick(Object.keys(good));
  handles.push(...Object.values(native.ops[op](chance(0.5) ? good[op]() : broken(good[op]()))));
}

// ---- the run ----

const tally = { results: 0, errors: 0 };
const messages = new Set();

function attempt(what, call) {
  try {
    const result = call();
    tally.results++;
    if (result instanceof Promise) result.catch((error) => messages.add(error.message));
    return result;
  } catch (error) {
    if (!(error instanceof Error)) throw new Error(`${what} threw ${String(error)}`);
    if (error.message === "") throw new Error(`${what} failed without a message`);
    tally.errors++;
    messages.add(error.message);
  }
}

function readBack(outputs) {
  for (const handle of Object.values(outputs ?? {})) {
    const { shape, dtype: type } = native.describe(handle);
    attempt("readInto", () => native.readInto(handle, new arrays[type](shape.reduce((a, b) => a * b, 1))));
    handles.push(handle);
  }
}

const good = nativeCalls({ real, ints, bytes, f64, bf16, pick, chance });
const missing = [
  ...Object.keys(native.ops).filter((op) => !good[op]),
  ...Object.keys(good).filter((op) => !native.ops[op]),
];
if (missing.length > 0) throw new Error(`native-calls.mjs has no call, or too many: ${missing}`);
const uncovered = Object.keys(native).filter((name) => name !== "ops" && !plain[name]);
if (uncovered.length > 0) throw new Error(`not called: ${uncovered}`);

const succeeded = new Set();
for (let i = 0; i < Number(calls); i++) {
  dtype = pick(["f32", "f64"]);
  const op = pick(Object.keys(good));
  const args = good[op]();
  const outputs = attempt(op, () => native.ops[op](args));
  if (outputs !== undefined) succeeded.add(op);
  readBack(outputs);
  readBack(attempt(op, () => native.ops[op](broken(good[op]()))));
  const name = pick(Object.keys(plain));
  const list = plain[name]();
  const spared = name === "threads" || (name === "rehearse" && chance(0.5));
  if (list.length > 0 && !spared) list[stream.integer(list.length)] = anyJunk();
  const result = attempt(name, () => native[name](...list.slice(0, chance(0.1) ? stream.integer(4) : 9)));
  if (result !== undefined && ["zeros", "fromArray", "view", "copyTo"].includes(name)) readBack({ result });
  if (chance(0.02)) attempt(op, () => native.ops[op](...pick([[], [anyJunk()], [null]])));
  if (i % 20 === 19) {
    for (const handle of handles.splice(0)) native.dispose(handle);
  }
}
for (const handle of handles.splice(0)) native.dispose(handle);

// Arenas, in any order of calls.
for (let i = 0; i < Number(calls); i++) {
  const arena = pick(arenas);
  attempt("arena", () => arena[pick(["open", "close", "close", "plan", "clear", "complete", "bytes"])](anyJunk()));
  const handle = attempt("zeros", () => native.zeros([pick([1, 100])], "f32"));
  if (handle !== undefined) readBack({ handle });
  if (chance(0.5) && handles.length > 0) native.dispose(handles.splice(stream.integer(handles.length), 1)[0]);
}
for (const arena of arenas) attempt("arena", () => arena.close());

// Graphs and stagings, likewise.
if (hasEmulator) {
  const graphs = [native.createGraph("emu"), native.createGraph("emu")];
  const staging = native.createStaging("emu", [
    { shape: [3], dtype: "f32" },
    { shape: [], dtype: "f64" },
  ]);
  handles.push(...staging.tensors);
  for (let i = 0; i < Number(calls); i++) {
    const name = pick(["begin", "begin", "end", "end", "discard", "captured", "launch", "clear"]);
    attempt("graph", () => pick(graphs)[name](chance(0.9) ? chance(0.7) : anyJunk()));
    const source = attempt("zeros", () => native.zeros(pick([[3], [], [4]]), pick(["f32", "f64"]), device()));
    if (source !== undefined) readBack({ source });
    attempt("staging", () => staging.put(chance(0.9) ? stream.integer(3) : anyJunk(), source ?? anyJunk()));
    if (chance(0.5)) attempt("staging", () => staging.send());
    if (handles.length > 2) native.dispose(handles.splice(stream.integer(handles.length), 1)[0]);
  }
  for (const graph of graphs) graph.clear();
  staging.clear();
  attempt("staging", () => staging.send());
}
for (const handle of handles.splice(0)) native.dispose(handle);
for (const arena of arenas) arena.clear();

native.singleThreaded(false);
server.close();
const never = Object.keys(good).filter((op) => !succeeded.has(op));
if (never.length > 0) throw new Error(`ops that never succeeded: ${never}`);
console.log(JSON.stringify({ ...tally, messages: messages.size, live: native.memory().live }));
