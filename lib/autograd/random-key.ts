// The key of random ops (dropout, drop path): (seed, update, micro-step). An op adds its module path, so its numbers
// do not depend on what ran before it, and a recomputed block draws the same ones.
import { AsyncLocalStorage } from "node:async_hooks";

/** What random ops of one micro-step are keyed by, besides their module path. */
export interface RandomKey {
  readonly seed: number;
  /** Optimiser updates done so far. */
  readonly update: number;
  /** Micro-batches of this update done so far. */
  readonly microStep: number;
}

const key = new AsyncLocalStorage<RandomKey>();

/** The key in force; without one, that of seed 0 before the first update. */
export function randomKey(): RandomKey {
  return key.getStore() ?? { seed: 0, update: 0, microStep: 0 };
}

/** Runs `body` under a key. */
export function withRandomKey<T>(value: RandomKey, body: () => T): T {
  return key.run(value, body);
}
