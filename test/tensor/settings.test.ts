// The process-wide settings: threads, instruction set, the cache of freed memory.
import { afterEach, describe, expect, it } from "vitest";
import { emptyCache, instructionSet, memory, runSingleThreaded, threads } from "#lib/tensor/memory.js";
import { nativeOp } from "#lib/tensor/native-op.js";
import { scope } from "#lib/tensor/scope.js";
import { Tensor } from "#lib/tensor/tensor.js";

const [initialThreads, initialSet] = [threads(), instructionSet() as "portable"];
afterEach(() => {
  threads(initialThreads);
  instructionSet(initialSet);
  runSingleThreaded(false);
});

const product = () =>
  scope(() => {
    const a = Tensor.fromArray(
      Float32Array.from({ length: 300 * 301 }, (_, i) => ((i * 7919) % 1009) / 1009),
      [300, 301],
    );
    return Array.from(nativeOp("matmul", { a, b: a, transposeB: true }).y.readSync());
  });

describe("threads()", () => {
  it("sets how many work, without any effect on results", () => {
    const expected = product();
    for (const count of [1, 2, 3, 7]) {
      expect(threads(count)).toBe(count);
      expect(threads()).toBe(count);
      expect(product()).toEqual(expected);
    }
    runSingleThreaded(true);
    expect(product()).toEqual(expected);
  });

  it.each([0, -1, 257, 1.5, Number.NaN, "2", null])("refuses %s", (count) => {
    expect(() => threads(count as number)).toThrow("threads");
    expect(threads()).toBe(initialThreads);
  });
});

describe("instructionSet()", () => {
  it("names the kernels in use and takes others this processor has", () => {
    expect(["amx", "avx512bf16", "avx512", "avx2", "portable"]).toContain(instructionSet());
    expect(instructionSet("portable")).toBe("portable");
    expect(instructionSet()).toBe("portable");
  });

  it("refuses an unknown name and keeps the old", () => {
    expect(() => instructionSet("sse2" as never)).toThrow("portable");
    expect(() => instructionSet(3 as never)).toThrow("a name");
    expect(instructionSet()).toBe(initialSet);
  });
});

describe("emptyCache()", () => {
  it("gives freed memory back to the system", () => {
    Tensor.zeros([1 << 16]).dispose();
    expect(memory().cached).toBeGreaterThan(0);
    const { live } = memory();
    emptyCache();
    expect(memory()).toMatchObject({ cached: 0, live });
  });
});
