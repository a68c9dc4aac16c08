// A pickle machine that executes nothing. A pickle is a program for a stack machine with a memo; its danger is GLOBAL and
// REDUCE, which name any function of Python and call it. Here a name is looked up in a short table of harmless ones
// (pickle-calls.ts), which build plain data, and any other name ends the reading.
//
// Work and memory are in proportion to the pickle: its length, stack, containers, memo and nesting are limited, and calls
// that copy are charged.

import { checkNesting } from "./check-nesting.js";
import type { PickleBytes } from "./pickle-bytes.js";
import { callName, findName } from "./pickle-calls.js";
import { STOP, steps } from "./pickle-opcodes.js";
import { badPickle, kindOf, Name, Namespace, NumpyDtype, type PickledValue, shown } from "./pickle-values.js";

/** Many times what the largest published checkpoint, with its optimiser, has. */
export const pickleLimits = { bytes: 2 ** 25, stack: 2 ** 20, containers: 2 ** 18, memo: 2 ** 20, depth: 100 } as const;

/** Turns a persistent identifier, here that of a storage, into a value. */
export type PersistentLoad = (identifier: PickledValue) => PickledValue;

/**
 * Reads one pickle and leaves `bytes` behind its end.
 * @param path  for messages
 * @throws DamagedFileError when it is damaged, too large, or wants to run something
 */
export function readPickle(path: string, bytes: PickleBytes, persistentLoad: PersistentLoad): PickledValue {
  const value = new PickleMachine(path, bytes, persistentLoad).run();
  checkNesting(path, value, pickleLimits.depth);
  return value;
}

const MARK = Symbol("mark");
type Item = PickledValue | typeof MARK;

/** The state that opcodes work on. */
export class PickleMachine {
  readonly bytes: PickleBytes;
  readonly persistentLoad: PersistentLoad;
  readonly #path: string;
  readonly #begin: number;
  readonly #stack: Item[] = [];
  readonly #memo = new Map<number, PickledValue>();
  #containers = 0;
  #copied = 0;

  constructor(path: string, bytes: PickleBytes, persistentLoad: PersistentLoad) {
    this.bytes = bytes;
    this.persistentLoad = persistentLoad;
    this.#path = path;
    this.#begin = bytes.position;
  }

  run(): PickledValue {
    for (let opcode = this.bytes.byte(); opcode !== STOP; opcode = this.bytes.byte()) {
      const step = steps.get(opcode);
      if (step === undefined) {
        const code = `0x${opcode.toString(16).padStart(2, "0")}`;
        throw this.#bad("an opcode of protocols 2 to 5 that makes plain data", `opcode ${code}`);
      }
      step(this);
      this.#limit("bytes", this.#read());
    }
    const value = this.pop();
    if (this.#stack.length > 0) throw this.#bad("one value at the end", `${this.#stack.length} more on the stack`);
    return value;
  }

  checkProtocol(protocol: number): void {
    if (protocol < 2 || protocol > 5) throw this.#bad("protocol 2 to 5", String(protocol));
  }

  // ---- the stack ----

  push(value: PickledValue): void {
    this.#limit("stack", this.#stack.push(value));
  }

  /** Pushes a value that takes memory of its own. */
  pushNew(value: PickledValue): void {
    this.#limit("containers", ++this.#containers);
    this.push(value);
  }

  mark(): void {
    this.#limit("stack", this.#stack.push(MARK));
  }

  top(): PickledValue {
    const value = this.#stack.at(-1);
    if (value === undefined || value === MARK) throw this.#bad("a value on the stack", "none");
    return value;
  }

  pop(): PickledValue {
    const value = this.top();
    this.#stack.pop();
    return value;
  }

  popMany(count: number): PickledValue[] {
    const items = this.#stack.splice(Math.max(0, this.#stack.length - count));
    if (items.length < count || items.includes(MARK)) throw this.#bad(`${count} values on the stack`, "fewer");
    return items as PickledValue[];
  }

  popToMark(): PickledValue[] {
    const mark = this.#stack.lastIndexOf(MARK);
    if (mark < 0) throw this.#bad("a mark on the stack", "none");
    return this.#stack.splice(mark).slice(1) as PickledValue[];
  }

  /** Takes off a value or a mark. */
  discard(): void {
    if (this.#stack.pop() === undefined) throw this.#bad("a value on the stack", "none");
  }

  // ---- containers ----

  append(items: readonly PickledValue[]): void {
    const list = this.top();
    if (!Array.isArray(list)) throw this.#bad("a list to append to", kindOf(list));
    for (const item of items) list.push(item);
  }

  setItems(items: readonly PickledValue[]): void {
    const map = this.top();
    if (!(map instanceof Map)) throw this.#bad("a dict to fill", kindOf(map));
    if (items.length % 2 !== 0) throw this.#bad("keys with values", `${items.length} items`);
    for (let i = 0; i < items.length; i += 2) map.set(items[i], items[i + 1]);
  }

  addItems(items: readonly PickledValue[]): void {
    const set = this.top();
    if (!(set instanceof Set)) throw this.#bad("a set to fill", kindOf(set));
    for (const item of items) set.add(item);
  }

  // ---- memo ----

  memorize(index = this.#memo.size): void {
    this.#memo.set(index, this.top());
    this.#limit("memo", this.#memo.size);
  }

  recall(index: number): PickledValue {
    const value = this.#memo.get(index);
    if (value === undefined) throw this.#bad("a value that was remembered", `number ${index}, which was not`);
    return value;
  }

  // ---- names and calls ----

  pushName(module: PickledValue, name: PickledValue): void {
    if (typeof module !== "string" || typeof name !== "string") {
      throw this.#bad("a name in two texts", `${kindOf(module)} and ${kindOf(name)}`);
    }
    this.push(findName(this.#path, module, name));
  }

  call(): void {
    const [callable, parameters] = this.popMany(2);
    if (!(callable instanceof Name)) throw this.#bad("the name of what to build", kindOf(callable));
    if (!Array.isArray(parameters)) throw this.#bad(`the arguments of ${callable.name}`, kindOf(parameters));
    this.pushNew(callName(this.#path, callable, parameters, (elements) => this.#charge(elements)));
  }

  /** Attributes of what was built. Those of a dict (the versions of modules in a state dict) say nothing about weights. */
  build(): void {
    const state = this.pop();
    const target = this.top();
    if (target instanceof Map) return;
    if (target instanceof NumpyDtype) {
      const order = Array.isArray(state) ? state[1] : undefined;
      if (order === "<" || order === "|" || order === "=") return;
      throw this.#bad("little-endian numbers", `a numpy.dtype of order ${shown(order)}`);
    }
    if (!(target instanceof Namespace)) throw this.#bad("a Namespace to fill", kindOf(target));
    if (!(state instanceof Map)) throw this.#bad("the fields of a Namespace", kindOf(state));
    this.#charge(state.size);
    for (const [field, value] of state) {
      if (typeof field !== "string") throw this.#bad("the name of a field", kindOf(field));
      target.fields.set(field, value);
    }
  }

  /** A few bytes can copy a large container many times; all copies together stay in proportion to the bytes read. */
  #charge(elements: number): void {
    this.#copied += elements;
    if (this.#copied > 16 * this.#read() + 2 ** 16) throw this.#tooLarge("copies");
  }

  #read(): number {
    return this.bytes.position - this.#begin;
  }

  #limit(what: keyof typeof pickleLimits, count: number): void {
    if (count > pickleLimits[what]) throw this.#tooLarge(what);
  }

  #bad(expected: string, got: string): Error {
    return badPickle(`${this.#path} at byte ${this.bytes.position}`, expected, got);
  }

  #tooLarge(what: string): Error {
    const hint = "the file is damaged, or made to exhaust memory";
    return badPickle(this.#path, "a pickle of the size of a checkpoint's", `too much of it (${what})`, hint);
  }
}
