import { setTimeout as sleep } from "node:timers/promises";
import { expect, it, vi } from "vitest";
import { interruptible } from "#lib/train/interruptible.js";

async function* numbers(log: string[], wait = 0): AsyncGenerator<number> {
  try {
    for (let i = 0; ; i++) {
      if (i === 2) await sleep(wait);
      if (i === 3) return;
      yield i;
    }
  } finally {
    log.push("closed");
  }
}

it("gives every item, then nothing", async () => {
  const log: string[] = [];
  const seen: (number | undefined)[] = [];
  {
    await using items = interruptible(numbers(log), new AbortController().signal);
    for (let i = 0; i < 4; i++) seen.push(await items.next());
  }
  expect(seen).toEqual([0, 1, 2, undefined]);
  expect(log).toEqual(["closed"]);
});

it("ends at once when it is aborted while it waits, and passes errors on", async () => {
  const stop = new AbortController();
  const log: string[] = [];
  {
    await using items = interruptible(numbers(log, 200), stop.signal);
    await items.next();
    await items.next();
    const waiting = items.next();
    const began = performance.now();
    setTimeout(() => stop.abort(), 20);
    expect(await waiting).toBeUndefined();
    expect(performance.now() - began).toBeLessThan(150);
    expect(await items.next()).toBeUndefined();
  }
  expect(log).toEqual(["closed"]);

  async function* broken(): AsyncGenerator<number> {
    yield* [];
    throw new Error("no more");
  }
  const failing = interruptible(broken(), stop.signal.aborted ? undefined : stop.signal);
  await expect(failing.next()).rejects.toThrow("no more");
});

it("keeps no listener for an item that has come", async () => {
  const { signal } = new AbortController();
  const [added, removed] = [vi.spyOn(signal, "addEventListener"), vi.spyOn(signal, "removeEventListener")];
  await using items = interruptible(numbers([]), signal);
  for (let i = 0; i < 3; i++) await items.next();
  await sleep(1);
  expect([added, removed].map(({ mock }) => mock.calls.length)).toEqual([3, 3]);
});
