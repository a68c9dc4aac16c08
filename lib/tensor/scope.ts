// Lifetimes. Results made inside a scope belong to the innermost one and die with it; outside any scope they belong to
// the caller. A scope follows its async context (AsyncLocalStorage), so two interleaved tasks never share one.
import { AsyncLocalStorage } from "node:async_hooks";

/** Something a scope frees when it ends. */
export interface Owned {
  readonly alive: boolean;
  dispose(): void;
}

class Scope {
  readonly parent: Scope | undefined;
  readonly owned = new Set<Owned>();
  ended = false;

  constructor(parent: Scope | undefined) {
    this.parent = parent;
  }

  end(): void {
    this.ended = true;
    for (const thing of this.owned) thing.dispose();
    this.owned.clear();
  }
}

const current = new AsyncLocalStorage<Scope | undefined>();
const owners = new WeakMap<Owned, Scope>();

/** The scope itself, or the nearest around it that has not ended: a task may outlive the scope it began in. */
function running(scope: Scope | undefined): Scope | undefined {
  let nearest = scope;
  while (nearest?.ended) nearest = nearest.parent;
  return nearest;
}

/** The scope that owns results made now, if any. */
function innermost(): Scope | undefined {
  return running(current.getStore());
}

/** Puts something under the innermost scope. Returns false outside any scope. */
export function own(thing: Owned): boolean {
  const scope = innermost();
  if (scope === undefined) return false;
  scope.owned.add(thing);
  owners.set(thing, scope);
  return true;
}

/** Takes something from the scope that owns it, because it has been disposed of. */
export function disown(thing: Owned): void {
  owners.get(thing)?.owned.delete(thing);
}

/** Hands something from the scope that owns it to the one around, or to the caller when there is none. */
export function promote(thing: Owned): "scope" | "caller" | "unowned" {
  const scope = owners.get(thing);
  if (scope === undefined || scope.ended) return "unowned";
  scope.owned.delete(thing);
  const parent = running(scope.parent);
  if (parent === undefined) {
    owners.delete(thing);
    return "caller";
  }
  parent.owned.add(thing);
  owners.set(thing, parent);
  return "scope";
}

/**
 * Runs `body` and frees every tensor made inside it that was not handed out with `keep()`, also when it throws. An
 * async body is followed to its end.
 *
 * @example const mean = scope(() => keep(x.mean()));
 */
export function scope<T>(body: () => T): T {
  const inner = new Scope(innermost());
  let result: T;
  try {
    result = current.run(inner, body);
  } catch (error) {
    inner.end();
    throw error;
  }
  if (result instanceof Promise) return result.finally(() => inner.end()) as T;
  inner.end();
  return result;
}

/** Runs `body` outside any scope: what it makes belongs to the caller (parameters, optimiser state). */
export function unscoped<T>(body: () => T): T {
  return current.run(undefined, body);
}
