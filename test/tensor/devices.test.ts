// Tensors on another device, here the emulator: made, read, moved, freed; what is refused; worker threads.
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import {
  backward,
  devices,
  gatherTokens,
  memory,
  nativeOp,
  scope,
  sum,
  synchronize,
  Tensor,
  toDevice,
  VideomaeError,
} from "videomae";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { hasEmulator } from "../devices.js";
import { runNode } from "../run-node.js";

describe("the list of devices", () => {
  it("has the CPU first, and says why there is no GPU", () => {
    const { devices: found, noGpu } = devices();
    expect(found[0]).toEqual({ device: "cpu" });
    if (found.length === 1) {
      expect(noGpu).toBeInstanceOf(VideomaeError);
      expect(noGpu!.message).toMatch(/^cuda: expected .*; got .*\. Hint: /);
    }
  });

  it.each(["gpu", "cuda:", "cuda:x", "cuda:99999", "cpu:0", "", 3, null])("refuses %j", (device) => {
    expect(() => Tensor.zeros([1], "f32", device as "cpu")).toThrow(
      "zeros: expected a device out of cpu, cuda, cuda:1 and so on, emu",
    );
  });

  it("refuses one that is not there, saying why", () => {
    if (devices().devices.length === 1) {
      expect(() => Tensor.zeros([1], "f32", "cuda")).toThrow(devices().noGpu!.message);
    }
  });
});

describe.skipIf(!hasEmulator)("tensors on a device", () => {
  let before: { live: number; tensors: number };
  const report = () => {
    const { live, tensors } = memory("emu");
    return { live, tensors };
  };
  beforeEach(() => {
    before = report();
  });
  afterEach(() => expect(report()).toEqual(before));

  it("come and go with their bytes", async () => {
    for (const data of [
      Float32Array.of(1, -0, NaN),
      Float64Array.of(1e300),
      Int32Array.of(-7),
      Uint8Array.of(255, 1),
    ]) {
      using x = Tensor.fromArray(data, [data.length], undefined, "emu");
      expect(x.device).toBe("emu");
      expect(x.readSync()).toEqual(data);
      expect(await x.read()).toEqual(data);
    }
    using empty = Tensor.zeros([0, 3], "bf16", "emu");
    expect(await empty.read()).toEqual(new Uint16Array(0));
    using nothing = Tensor.zeros([2, 2], "f32", "emu");
    expect([...nothing.readSync()]).toEqual([0, 0, 0, 0]);
    expect(memory("emu").live).toBeGreaterThan(before.live);
  });

  it("are overwritten in place, whole and as views", () => {
    using x = Tensor.fromArray([1, 2, 3, 4], [4], "f32", "emu");
    using view = x.view([2], 2);
    view.write(Float32Array.of(8, 9));
    expect([...x.readSync()]).toEqual([1, 2, 8, 9]);
    using y = Tensor.fromArray([5, 6], [2], "f32", "emu");
    view.assign(y);
    expect([...x.readSync()]).toEqual([1, 2, 5, 6]);
    using here = Tensor.fromArray([5, 6], [2]);
    expect(() => view.assign(here)).toThrow("assign: expected a source on emu; got one on cpu");
    expect(() => x.assign(y)).toThrow("assign: expected a source like f32[4]; got f32[2]");
  });

  it("move between devices, with their gradients", () => {
    using x = Tensor.fromArray([1, 2], [2]);
    using there = x.to("emu");
    using back = there.to("cpu");
    using same = there.to("emu");
    expect([there.device, back.device, same.device]).toEqual(["emu", "cpu", "emu"]);
    expect([...back.readSync()]).toEqual([1, 2]);
    same.write(Float32Array.of(3, 4));
    expect([...there.readSync()]).toEqual([3, 4]); // one memory
    x.requiresGrad = true;
    scope(() => {
      const y = toDevice(toDevice(x, "emu"), "cpu");
      expect([...y.readSync()]).toEqual([1, 2]);
      backward(sum(y));
    });
    expect([...x.grad!.readSync()]).toEqual([1, 1]);
    expect(x.grad!.device).toBe("cpu");
  });

  it("are read as they were when the read began", async () => {
    const x = Tensor.fromArray([1], [1], "f32", "emu");
    const first = x.read();
    x.write(Float32Array.of(2));
    const second = x.item();
    x.dispose();
    expect([...(await first), await second]).toEqual([1, 2]);
  });

  it("are read many at a time", async () => {
    const tensors = Array.from({ length: 100 }, (_, i) => Tensor.fromArray([i], [], "f32", "emu"));
    const values = await Promise.all(tensors.map((x) => x.item()));
    expect(values).toEqual(tensors.map((_, i) => i));
    for (const x of tensors) x.dispose();
  });

  it("are not mixed with others", () => {
    using here = Tensor.zeros([2]);
    using there = Tensor.zeros([2], "f32", "emu");
    expect(() => sumOf(here, there)).toThrow(
      "accumulate: expected x on cpu, where y is; got emu. Hint: make it on the same device",
    );
  });

  it("are read while Node's own threads do other things", async () => {
    const env = { UV_THREADPOOL_SIZE: "1" };
    const { status, stdout, stderr } = await runNode("tensor/many-reads.mjs", { env });
    expect([status, stderr]).toEqual([0, ""]);
    const { order, values } = JSON.parse(stdout);
    expect(order).toContain("first read");
    expect(order.at(-1)).toBe("reads"); // the file, for which there is one thread, does not wait for them
    expect(values).toEqual(values.map((_: number, i: number) => i));
    expect(values.length).toBe(64);
  });

  it("report an index that is out of range, once, at whatever is read next", async () => {
    using x = Tensor.fromArray([1, 2, 3, 4], [1, 2, 2], "f32", "emu");
    using wild = Tensor.fromArray(Int32Array.of(1, 7), [1, 2], "i32", "emu");
    const told = "gatherTokens: expected indices in range; got one out of range on emu";
    gatherTokens(x, wild).dispose();
    expect(() => x.readSync()).toThrow(told);
    expect([...x.readSync()]).toEqual([1, 2, 3, 4]);
    gatherTokens(x, wild).dispose();
    await expect(x.read()).rejects.toThrow(told);
    gatherTokens(x, wild).dispose();
    expect(() => synchronize("emu")).toThrow(VideomaeError);
    using good = Tensor.fromArray(Int32Array.of(1), [1, 1], "i32", "emu");
    using y = gatherTokens(x, good);
    expect([...(await y.read())]).toEqual([3, 4]);
  });

  it("say what there is when memory is exhausted", () => {
    expect(() => Tensor.zeros([2 ** 33], "f32", "emu")).toThrow(
      /^allocate: expected 32768 MiB of memory on emu; got none \(\d+ MiB live, \d+ MiB cached and given back\)\. Hint: use a smaller batch size/,
    );
    using x = Tensor.fromArray([1], [1], "f32", "emu");
    expect([...x.readSync()]).toEqual([1]);
  });

  it("are there for every thread, and outlive none", async () => {
    const script = `
      import { Tensor } from "videomae";
      import { parentPort } from "node:worker_threads";
      const x = Tensor.fromArray([1, 2, 3], [3], "f32", "emu");
      for (let i = 0; i < 200; i++) if ((await x.read())[2] !== 3) throw new Error("other values");
      x.dispose();
      parentPort.postMessage("read");
      for (;;) {
        const y = Tensor.fromArray(new Float32Array(1000), [1000], "f32", "emu");
        y.read();
        y.dispose();
        await 0;
      }`;
    const workers = Array.from({ length: 3 }, () => new Worker(script, { eval: true }));
    await Promise.all(workers.map((worker) => once(worker, "message")));
    await Promise.all(workers.map((worker) => worker.terminate())); // with reads under way
    synchronize("emu");
  });
});

function sumOf(y: Tensor, x: Tensor): void {
  nativeOp("accumulate", { y, x });
}
