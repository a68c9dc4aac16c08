// Scopes: whose a result is, and when it dies.
import { setTimeout as wait } from "node:timers/promises";
import { beforeEach, describe, expect, it } from "vitest";
import { memory } from "#lib/tensor/memory.js";
import { scope, unscoped } from "#lib/tensor/scope.js";
import { keep, Tensor } from "#lib/tensor/tensor.js";

const make = () => Tensor.zeros([10]);

let before: { live: number; tensors: number };
beforeEach(() => {
  const { live, tensors } = memory();
  before = { live, tensors };
});
const expectNothingLeft = () => expect(memory()).toMatchObject(before);

describe("scope", () => {
  it("frees what was made inside, and hands out what is kept", () => {
    let inside: Tensor | undefined;
    const kept = scope(() => {
      inside = make();
      return keep(make());
    });
    expect([inside!.alive, kept.alive]).toEqual([false, true]);
    kept.dispose();
    expectNothingLeft();
  });

  it("nests: each tensor belongs to the innermost, kept ones to the one around", () => {
    scope(() => {
      const outer = make();
      const [inner, kept] = scope(() => [make(), keep(make())]);
      expect([outer.alive, inner.alive, kept.alive]).toEqual([true, false, true]);
    });
    expectNothingLeft();
  });

  it("keeps across two levels when both keep", () => {
    const x = scope(() => keep(scope(() => keep(make()))));
    expect(x.alive).toBe(true);
    x.dispose();
    const y = scope(() => scope(() => keep(make())));
    expect(y.alive).toBe(false);
    const z = scope(() => scope(() => make().keep().keep()));
    expect(z.alive).toBe(true);
    z.dispose();
    expectNothingLeft();
  });

  it("frees when the body throws", async () => {
    expect(() =>
      scope(() => {
        make();
        throw new Error("mine");
      }),
    ).toThrow("mine");
    await expect(
      scope(async () => {
        make();
        await wait(1);
        make();
        throw new Error("mine too");
      }),
    ).rejects.toThrow("mine too");
    expectNothingLeft();
  });

  it("allows disposing early, once or twice, in any order", () => {
    scope(() => {
      const [a, b] = [make(), make()];
      b.dispose();
      a.dispose();
      a.dispose();
    });
    expectNothingLeft();
  });

  it("follows an async body to its end", async () => {
    const kept = await scope(async () => {
      const x = make();
      await wait(2);
      expect(x.alive).toBe(true);
      make();
      return keep(make());
    });
    expect(kept.alive).toBe(true);
    kept.dispose();
    expectNothingLeft();
  });

  it("is never shared by interleaved tasks", async () => {
    const task = (delay: number) =>
      scope(async () => {
        const mine: Tensor[] = [];
        for (let i = 0; i < 5; i++) {
          mine.push(make());
          await wait(delay);
          expect(mine.every((x) => x.alive)).toBe(true);
        }
        return mine;
      });
    const short = task(1);
    const long = task(4);
    expect((await short).some((x) => x.alive)).toBe(false);
    const outside = make(); // this task is in no scope, though one is open
    expect((await long).some((x) => x.alive)).toBe(false);
    expect(outside.alive).toBe(true);
    outside.dispose();
    expectNothingLeft();
  });

  it("a scope inside an async scope is that task's own", async () => {
    await scope(async () => {
      const outer = make();
      await Promise.all(
        [1, 2, 3].map((delay) =>
          scope(async () => {
            const x = make();
            await wait(delay);
            expect([x.alive, outer.alive]).toEqual([true, true]);
          }),
        ),
      );
      expect(outer.alive).toBe(true);
    });
    expectNothingLeft();
  });

  it("a task that outlives its scope makes tensors for the scope around, or for the caller", async () => {
    let late: Promise<Tensor> | undefined;
    const start = async () => {
      await wait(3);
      return make();
    };
    scope(() => {
      late = start();
    });
    const x = await late!;
    expect(x.alive).toBe(true);
    x.dispose();
    await scope(async () => {
      scope(() => {
        late = start();
      });
      expect((await late!).alive).toBe(true);
    });
    expect((await late!).alive).toBe(false);
    expectNothingLeft();
  });

  it("keeps out of an inner scope that outlived the one around to the next that still runs", async () => {
    let late: Promise<Tensor> | undefined;
    const inner = () =>
      scope(async () => {
        await wait(3);
        return keep(make());
      });
    await scope(async () => {
      scope(() => {
        late = inner();
      });
      expect((await late!).alive).toBe(true);
    });
    expect((await late!).alive).toBe(false);
    expectNothingLeft();
  });
});

describe("unscoped", () => {
  it("makes tensors for the caller inside any scope", () => {
    const x = scope(() => scope(() => unscoped(make)));
    expect(x.alive).toBe(true);
    x.dispose();
    expectNothingLeft();
  });

  it("may hold scopes of its own", () => {
    const [kept, freed] = scope(() => unscoped(() => scope(() => [keep(make()), make()])));
    expect([kept.alive, freed.alive]).toEqual([true, false]);
    kept.dispose();
    expectNothingLeft();
  });
});
