// Nothing a script hands to the native module may end the process: every failure is an Error with a message.
import { createRequire } from "node:module";
import { describe, expect, it } from "vitest";
import { binding } from "#lib/addon/binding.js";
import { findBinary } from "#lib/addon/find-binary.js";
import { VideomaeError } from "#lib/errors.js";
import { runNode } from "../run-node.js";

const native = createRequire(import.meta.url)(findBinary().binary!.file);

describe("misuse of the native module", () => {
  it.each(["1", "2", "3"])("survives thousands of broken calls, seed %s", async (seed) => {
    const { status, stdout, stderr } = await runNode("addon/fuzz-native.mjs", { args: ["2500", seed] });
    expect(stderr).toBe("");
    expect(status).toBe(0);
    const { results, errors, messages } = JSON.parse(stdout);
    expect(results).toBeGreaterThan(2000);
    expect(errors).toBeGreaterThan(2000);
    expect(messages).toBeGreaterThan(500);
  });

  it.each(Object.keys(native.ops))("%s without arguments, with junk, and with an unknown name is an error", (op) => {
    expect(() => native.ops[op]()).toThrow("an object of arguments");
    for (const junk of [null, 1, "x", Symbol("s"), 1n]) expect(() => native.ops[op](junk)).toThrow(Error);
    expect(() => native.ops[op]({ skip: 3 })).toThrow("an array of output names");
    expect(() => native.ops[op]({})).toThrow(Error);
  });

  it("refuses sparse arrays that claim billions of elements, at once", () => {
    const sparse = new Array(2 ** 32 - 1);
    expect(() => native.zeros(sparse, "f32")).toThrow("an integer as shape");
    expect(() => native.ops.unary({ x: native.zeros([1], "f32"), kind: "exp", skip: sparse })).toThrow("output names");
    expect(() => native.ops.cat({ xs: sparse })).toThrow("a tensor as xs");
  });

  it("bounds shapes also where a size is 0, so that no product of sizes overflows", () => {
    expect(() => native.zeros([0, 2 ** 40, 2 ** 40], "f32")).toThrow("at most 2^46 elements");
    expect(() => native.zeros([2 ** 46], "f64")).toThrow("of memory");
    expect(() => native.zeros([-1], "f32")).toThrow("axes of size 0 or more");
    expect(() => native.zeros([1, 1, 1, 1, 1, 1, 1, 1, 1], "f32")).toThrow("at most 8 axes");
  });

  it("reads a tensor that an argument's getter disposes of", () => {
    const x = native.fromArray(Float32Array.of(1, 2, 3), [3], "f32");
    const shape = Object.defineProperty([0], 0, {
      get() {
        native.dispose(x);
        return 2;
      },
    });
    const view = native.view(x, 1, shape);
    expect(Array.from(native.readInto(view, new Float32Array(2)))).toEqual([2, 3]);
    expect(() => native.describe(x)).toThrow("a live tensor");
    native.dispose(view);
  });

  it("lets an error thrown by a getter through unchanged, and a thrown undefined too", () => {
    const caught = (thrown: unknown) => {
      const args = Object.defineProperty({}, "x", {
        get() {
          throw thrown;
        },
      });
      try {
        binding.ops.softmax(args);
      } catch (error) {
        return error;
      }
      return "nothing";
    };
    const mine = new RangeError("mine");
    expect(caught(mine)).toBe(mine);
    expect(caught(undefined)).toBe(undefined);
  });

  it("takes nothing else for a handle: no copy, heir or proxy of one", () => {
    const x = native.zeros([1], "f32");
    for (const other of [Object.create(x), new Proxy(x, {}), { ...x }, new x.constructor(x.x), structuredClone(x)]) {
      expect(() => native.describe(other)).toThrow("a tensor as x; got a foreign object");
    }
    native.dispose(x);
    native.dispose(x);
  });

  it("arrives as VideomaeError with its parts, also from an arena", () => {
    expect(() => binding.ops.softmax({ x: 3 })).toThrow(VideomaeError);
    const [a, b] = [binding.createArena("cpu"), binding.createArena("cpu")];
    a.open();
    expect(() => b.open()).toThrow(VideomaeError);
    expect(() => a.clear()).toThrow("a step that is not running");
    a.close();
  });
});
