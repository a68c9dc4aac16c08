import { add, backward, compileStep, memory, mul, rehearse, sum, Tensor } from "videomae";
import { expect, it } from "vitest";

it("counts what would be allocated, and takes nothing", () => {
  const before = memory();
  const counted = rehearse(() => {
    const start = memory();
    const x = Tensor.zeros([1 << 20, 1 << 10]); // 4 GiB
    const y = add(x, x);
    const most = memory();
    for (const t of [x, y]) t.dispose();
    return { start, most, end: memory() };
  });
  expect(counted.start).toMatchObject({ live: 0, peak: 0, cached: 0, reserved: 0 });
  expect(counted.most).toMatchObject({ live: 2 ** 33, peak: 2 ** 33, reserved: 2 ** 33 });
  expect(counted.end).toMatchObject({ live: 0, peak: 2 ** 33, cached: 2 ** 33 });
  expect(memory()).toEqual(before);
});

it("counts a compiled step as it then is", () => {
  const run = () => {
    using x = Tensor.fromArray(new Float32Array(4096).fill(1), [4096]);
    x.requiresGrad = true;
    using step = compileStep(() => {
      const loss = sum(mul(mul(x, x), x));
      backward(loss);
      return { loss };
    });
    for (let i = 0; i < 3; i++) step({});
    return { arena: step.arenaBytes, live: memory().live };
  };
  const before = memory().live;
  const real = run();
  expect(rehearse(run)).toEqual({ ...real, live: real.live - before });
});

it("refuses what has no memory, and mistakes", () => {
  const x = rehearse(() => Tensor.zeros([3]));
  expect(() => x.readSync()).toThrow(/expected a tensor with memory behind it; got one of a rehearsal/);
  expect(() => add(x, x)).toThrow(/got a tensor of a rehearsal/);
  x.dispose();
  expect(() => rehearse(() => rehearse(() => 0))).toThrow(/one rehearsal at a time/);
  expect(() => rehearse(async () => 0)).toThrow(/expected a synchronous body/);
  expect(() => rehearse(3 as unknown as () => void)).toThrow(/expected a function/);
  using step = compileStep(() => ({ y: rehearse(() => Tensor.zeros([1])) }));
  expect(() => step({})).toThrow(/one of a rehearsal/);
});

it("ends with its body, however that ends", () => {
  expect(() =>
    rehearse(() => {
      throw new Error("mine");
    }),
  ).toThrow("mine");
  using x = Tensor.fromArray([1, 2], [2]);
  expect([...x.readSync()]).toEqual([1, 2]);
});
