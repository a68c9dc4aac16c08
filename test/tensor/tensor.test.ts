// Tensors: making, reading, writing, sharing and freeing them.
import { describe, expect, it } from "vitest";
import { VideomaeError } from "#lib/errors.js";
import { memory, resetPeakMemory } from "#lib/tensor/memory.js";
import { nativeOp } from "#lib/tensor/native-op.js";
import { scope, unscoped } from "#lib/tensor/scope.js";
import { keep, Tensor } from "#lib/tensor/tensor.js";

describe("making", () => {
  it.each([
    ["f64", Float64Array.of(1.5, -2, 3, 4, 5, 6)],
    ["f32", Float32Array.of(1.5, -2, 3, 4, 5, 6)],
    ["i32", Int32Array.of(1, -2, 3, 4, 5, 6)],
    ["u8", Uint8Array.of(1, 2, 3, 4, 5, 255)],
    ["bf16", Uint16Array.of(0x3f80, 0xbf80, 0, 1, 2, 65535)],
  ] as const)("takes the dtype of a script array: %s", async (dtype, data) => {
    using x = Tensor.fromArray(data, [2, 3]);
    expect(`${x}`).toBe(`${dtype}[2, 3]`);
    expect([x.rank, x.size, x.device, x.requiresGrad]).toEqual([2, 6, "cpu", false]);
    expect(await x.read()).toEqual(data);
  });

  it("takes plain numbers as f32 or as told, and bytes as bool", async () => {
    using x = Tensor.fromArray([1, 2.5], [2]);
    using y = Tensor.fromArray([1, 2.9], [2], "i32");
    using b = Tensor.fromArray(Uint8Array.of(0, 1), [2], "bool");
    expect(await x.read()).toEqual(Float32Array.of(1, 2.5));
    expect(await y.read()).toEqual(Int32Array.of(1, 2));
    expect(b.dtype).toBe("bool");
  });

  it("rounds numbers to bf16 as cast() does, and reads one back as a number", async () => {
    const exact = Array.from({ length: 300 }, (_, i) => (i % 2 ? -1 : 1) * (1 + i / 256 + 2 ** -9) * 2 ** (i - 150));
    const numbers = exact
      .flatMap((x) => [x, x * (1 + 2 ** -40), x * (1 - 2 ** -40)])
      .concat([0, -0, 1e39, -1e-45, 3.4e38]);
    using x = Tensor.fromArray([...numbers, Number.NaN], [numbers.length + 1], "bf16");
    using wide = Tensor.fromArray(Float64Array.of(...numbers, Number.NaN), [numbers.length + 1]);
    using cast = nativeOp("cast", { x: wide, dtype: "bf16" }).y;
    expect(x.readSync()).toEqual(cast.readSync());
    using third = Tensor.fromArray([1 / 3], [], "bf16");
    expect(await third.item()).toBe(0.333984375);
  });

  it("copies: the array may change afterwards, and so may what was read", () => {
    const data = Float32Array.of(1, 2);
    using x = Tensor.fromArray(data, [2]);
    data[0] = 9;
    x.readSync()[1] = 9;
    expect(Array.from(x.readSync())).toEqual([1, 2]);
  });

  it("knows scalars, empty tensors and eight axes", async () => {
    using scalar = Tensor.fromArray([7], []);
    using empty = Tensor.zeros([3, 0, 2]);
    using eight = Tensor.zeros([1, 2, 1, 2, 1, 2, 1, 2], "u8");
    expect(await scalar.item()).toBe(7);
    expect([scalar.rank, empty.size, empty.readSync().length, eight.size]).toEqual([0, 0, 0, 16]);
  });

  it("takes views into larger and into shared buffers", () => {
    const shared = new Float32Array(new SharedArrayBuffer(16));
    shared.set([1, 2, 3, 4]);
    using x = Tensor.fromArray(shared.subarray(1, 3), [2]);
    expect(Array.from(x.readSync())).toEqual([2, 3]);
  });

  it.each([
    ["too few elements", () => Tensor.fromArray(new Float32Array(5), [2, 3]), "Float32Array of 6 elements"],
    ["another array type", () => Tensor.fromArray(new Float32Array(6), [2, 3], "f64"), "Float64Array of 6 elements"],
    ["64-bit integers", () => Tensor.fromArray(new BigInt64Array(1) as never, [1]), "Uint8Array of 1 elements"],
    ["a negative size", () => Tensor.zeros([2, -1]), "axes of size 0 or more"],
    ["a fraction", () => Tensor.zeros([1.5]), "an integer as shape"],
    ["nine axes", () => Tensor.zeros(new Array(9).fill(1)), "at most 8 axes"],
    ["an unknown dtype", () => Tensor.zeros([1], "f16" as never), "a dtype out of f64, f32, bf16, u8, i32, bool"],
    ["no shape", () => Tensor.zeros(undefined as never), "an array of integers as shape"],
  ])("refuses %s", (_what, make, message) => {
    const before = memory();
    expect(make).toThrow(VideomaeError);
    expect(make).toThrow(message);
    expect(memory()).toMatchObject({ live: before.live, tensors: before.tensors });
  });
});

describe("reading and writing", () => {
  it("item() wants one element", async () => {
    using x = Tensor.zeros([2]);
    await expect(x.item()).rejects.toThrow("a tensor of one element; got f32[2]");
  });

  it("write() overwrites in place, seen by every view", () => {
    using x = Tensor.zeros([4]);
    using tail = x.view([2], 2);
    x.write(Float32Array.of(1, 2, 3, 4));
    expect(Array.from(tail.readSync())).toEqual([3, 4]);
    expect(() => x.write(new Float32Array(3))).toThrow("Float32Array of 4 elements");
    expect(() => x.write(new Float64Array(4))).toThrow("another array type");
  });

  it("view() shares memory, keeps it alive, and ends where the tensor ends", () => {
    const x = Tensor.fromArray([1, 2, 3, 4, 5, 6], [6]);
    using view = x.view([2, 2], 1);
    x.dispose();
    expect(Array.from(view.readSync())).toEqual([2, 3, 4, 5]);
    using empty = view.view([0], 4);
    expect(empty.size).toBe(0);
    expect(() => view.view([2, 2], 1)).toThrow(VideomaeError);
    expect(() => view.view([1], -1)).toThrow(VideomaeError);
    expect(() => view.view([0], 5)).toThrow(VideomaeError);
  });

  it("adopt() moves a tensor onto other memory of the same shape and dtype", () => {
    using x = Tensor.fromArray([1, 2], [2]);
    using old = x.view([2]);
    using memory = Tensor.fromArray([3, 4], [2]);
    x.adopt(memory);
    memory.write(Float32Array.of(5, 6));
    expect(Array.from(x.readSync())).toEqual([5, 6]);
    expect(Array.from(old.readSync())).toEqual([1, 2]);
    using other = Tensor.zeros([3]);
    expect(() => x.adopt(other)).toThrow("memory for f32[2]; got f32[3]");
  });
});

describe("freeing", () => {
  it("gives memory back at once, and only once", () => {
    const before = memory();
    const x = Tensor.zeros([1000]);
    expect(memory().live).toBeGreaterThanOrEqual(before.live + 4000);
    expect(memory().tensors).toBe(before.tensors + 1);
    x.dispose();
    x.dispose();
    expect(memory()).toMatchObject({ live: before.live, tensors: before.tensors });
  });

  it("using frees at the end of the block", () => {
    const before = memory().tensors;
    let held: Tensor;
    {
      using x = Tensor.zeros([1]);
      held = x;
      expect(held.alive).toBe(true);
    }
    expect(held.alive).toBe(false);
    expect(memory().tensors).toBe(before);
  });

  it.each([
    ["readSync", (x: Tensor) => x.readSync()],
    ["write", (x: Tensor) => x.write(new Float32Array(2))],
    ["view", (x: Tensor) => x.view([2])],
    ["handle", (x: Tensor) => x.handle],
    ["an op", (x: Tensor) => nativeOp("unary", { kind: "exp", x })],
  ])("%s of a freed tensor says what happened", (_name, use) => {
    const x = Tensor.zeros([2]);
    x.dispose();
    expect(() => use(x)).toThrow("a live tensor f32[2]; got a freed one. Hint: it was disposed of, or its scope()");
  });

  it("frees a tensor's gradient with it", () => {
    const before = memory();
    const x = Tensor.zeros([100]);
    x.grad = unscoped(() => Tensor.zeros([100]));
    x.dispose();
    expect(memory()).toMatchObject({ live: before.live, tensors: before.tensors });
  });

  it("keep() of an unscoped or freed tensor does nothing", () => {
    using x = Tensor.zeros([1]);
    expect(keep(x)).toBe(x);
    const y = scope(() => Tensor.zeros([1]));
    expect(keep(y).alive).toBe(false);
    scope(() => {
      const z = Tensor.zeros([1]);
      z.dispose();
      keep(z);
    });
  });
});

describe("memory()", () => {
  it("counts what is live, its peak, and what is kept for reuse", () => {
    resetPeakMemory();
    const before = memory();
    expect(before.peak).toBe(before.live);
    scope(() => Tensor.zeros([1 << 18]));
    const after = memory();
    expect(after.live).toBe(before.live);
    expect(after.peak).toBeGreaterThanOrEqual(before.live + (1 << 20));
    expect(after.cached).toBeGreaterThanOrEqual(1 << 20);
    scope(() => Tensor.zeros([1 << 18]));
    expect(memory().systemAllocations).toBe(after.systemAllocations);
  });
});
