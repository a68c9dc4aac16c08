// Modules: names, order, loading, and the errors of each.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { VideomaeError } from "#lib/errors.js";
import { pretrainModel } from "#lib/models/pretrain.js";
import { parameterShapes } from "#lib/models/sizes.js";
import { constant, ones, zeros } from "#lib/nn/initializers.js";
import { LayerNorm } from "#lib/nn/layer-norm.js";
import { Linear } from "#lib/nn/linear.js";
import { Module } from "#lib/nn/module.js";
import { ModuleList } from "#lib/nn/module-list.js";
import { memory } from "#lib/tensor/memory.js";
import { scope } from "#lib/tensor/scope.js";
import { Tensor } from "#lib/tensor/tensor.js";

class Head extends Module {
  readonly norm = this.child("norm", new LayerNorm(3));
  readonly token = this.parameter("token", [1, 3], constant(0.5));
  readonly layers = this.child("layers", new ModuleList([new Linear(3, 2), new Linear(2, 1, { bias: false })]));
  readonly scale = this.parameter("scale", [], ones);
}
const names = ["token", "scale", "norm.weight", "norm.bias", "layers.0.weight", "layers.0.bias", "layers.1.weight"];
const values = (head: Head) => {
  const list = head.namedParameters().map(([name, { shape }], i) => {
    const size = shape.reduce((a, b) => a * b, 1);
    return [name, { shape: [...shape], data: Float32Array.from({ length: size }, (_, k) => i + k / 10) }] as const;
  });
  return new Map(list);
};

let before: { live: number; tensors: number };
beforeEach(() => {
  const { live, tensors } = memory();
  before = { live, tensors };
});
afterEach(() => expect(memory()).toMatchObject(before));

describe("names", () => {
  it("come in order of declaration, a module's own parameters first", () => {
    const head = new Head();
    expect(head.namedParameters().map(([name]) => name)).toEqual(names);
    expect(head.namedModules().map(([name]) => name)).toEqual(["", "norm", "layers", "layers.0", "layers.1"]);
    expect(head.namedModules("model").map(([name]) => name)[2]).toBe("model.layers");
    expect(head.namedParameters("model.")[0][0]).toBe("model.token");
  });

  it("are those of the published checkpoints for a whole model", () => {
    using model = pretrainModel("vit-tiny");
    expect(model.namedParameters().map(([name, p]) => [name, p.shape])).toEqual(parameterShapes(model.config));
  });

  it.each(["weight", "a.b", ""])('refuses "%s" where it is taken, dotted or empty', (name) => {
    class Wrong extends Module {
      readonly weight = this.parameter("weight", [1], zeros);
      readonly again = this.parameter(name, [1], zeros);
    }
    class WrongChild extends Module {
      readonly weight = this.child("weight", new LayerNorm(1));
      readonly again = this.child(name, new LayerNorm(1));
    }
    for (const make of [() => new Wrong(), () => new WrongChild()]) {
      expect(make).toThrow(VideomaeError);
      expect(make).toThrow(`a new name without a dot; got "${name}"`);
    }
  });
});

describe("materialize", () => {
  it("is needed once before the first use", () => {
    const head = new Head();
    expect(() => head.token.value).toThrow("call materialize()");
    using made = head.materialize();
    expect(made.token.value.requiresGrad).toBe(true);
    expect(`${made.token.value}`).toBe("f32[1, 3]");
  });

  it("makes parameters that outlive the scope around, and frees old ones when called again", () => {
    const head = scope(() => new Head().materialize());
    expect(head.token.value.alive).toBe(true);
    const { live } = memory();
    const old = head.token.value;
    head.materialize({ seed: 1 });
    expect([old.alive, memory().live]).toEqual([false, live]);
    head.dispose();
    expect(() => head.token.value).toThrow("memory for this parameter");
  });
});

describe("load", () => {
  it("copies values in by name, in any order, into f32 and f64", () => {
    for (const dtype of ["f32", "f64"] as const) {
      using head = new Head().materialize({ dtype });
      const wanted = values(head);
      head.load(new Map([...wanted].reverse()));
      for (const [name, parameter] of head.namedParameters()) {
        expect(Array.from(parameter.value.readSync()), name).toEqual(Array.from(wanted.get(name)!.data));
      }
    }
  });

  it("lists everything missing, unknown and misshapen, and then changes nothing", () => {
    using head = new Head().materialize();
    const wrong = values(head);
    for (const name of names.slice(2, 6)) wrong.delete(name);
    wrong.set("decoder.weight", { shape: [1], data: new Float32Array(1) });
    wrong.set("token", { shape: [3, 1], data: new Float32Array(3) });
    wrong.set("scale", { shape: [], data: new Float32Array(2) });
    expect(() => head.load(wrong)).toThrow(
      "4 missing (norm.weight, norm.bias, layers.0.weight, ...), 1 unknown (decoder.weight), " +
        "2 of another shape (token, scale)",
    );
    expect(Array.from(head.token.value.readSync())).toEqual([0.5, 0.5, 0.5]);
  });
});

describe("train()", () => {
  it("reaches every module below", () => {
    const head = new Head();
    expect(head.training).toBe(true);
    expect(head.train(false)).toBe(head);
    expect(head.namedModules().every(([, m]) => !m.training)).toBe(true);
    head.layers.train();
    expect(head.namedModules().map(([, m]) => m.training)).toEqual([false, false, true, true, true]);
  });
});

it("packed weights are read while they are up to date", () => {
  using layer = new Linear(5, 3).materialize({ seed: 1 });
  scope(() => {
    const x = Tensor.fromArray([1, 2, 3, 4, 5], [1, 5]);
    const plain = layer.forward(x).readSync();
    expect(layer.weight.packed).toBeUndefined();
    layer.packWeights();
    expect(layer.weight.packed?.dtype).toBe("u8");
    expect(layer.bias?.packed).toBeUndefined();
    expect(layer.forward(x).readSync()).toEqual(plain);
    layer.weight.value.write(new Float32Array(15));
    expect(layer.weight.packed).toBeUndefined();
    expect([...layer.forward(x).readSync()]).toEqual([0, 0, 0]);
  });
});
