// Values of a pickle that end: none contains itself, and none is nested deeper than recursion could follow. Containers
// may be shared, so each is walked through once, and its height remembered.

import { badPickle, childrenOf, Namespace, type PickledValue } from "./pickle-values.js";

interface Visit {
  readonly value: PickledValue;
  readonly children: readonly PickledValue[];
  next: number;
  /** Of the highest child so far. */
  height: number;
}

/** @throws DamagedFileError when a value contains itself, or has more than `limit` levels */
export function checkNesting(path: string, root: PickledValue, limit: number): void {
  const heights = new Map<PickledValue, number>();
  const open = new Set<PickledValue>();
  const way: Visit[] = [];
  const enter = (value: PickledValue) => {
    if (open.has(value)) throw badPickle(path, "values that end", "one that contains itself");
    open.add(value);
    way.push({ value, children: childrenOf(value).filter(isContainer), next: 0, height: 0 });
    if (way.length > limit) throw badPickle(path, `at most ${limit} levels`, "more");
  };
  const raise = (height: number) => {
    const parent = way.at(-1);
    if (parent) parent.height = Math.max(parent.height, height);
    if (way.length + height > limit) throw badPickle(path, `at most ${limit} levels`, "more");
  };
  if (isContainer(root)) enter(root);
  for (let visit = way.at(-1); visit !== undefined; visit = way.at(-1)) {
    if (visit.next < visit.children.length) {
      const child = visit.children[visit.next++];
      const known = heights.get(child);
      if (known === undefined) enter(child);
      else raise(known);
    } else {
      way.pop();
      open.delete(visit.value);
      heights.set(visit.value, visit.height + 1);
      raise(visit.height + 1);
    }
  }
}

function isContainer(value: PickledValue): boolean {
  return Array.isArray(value) || value instanceof Map || value instanceof Set || value instanceof Namespace;
}
