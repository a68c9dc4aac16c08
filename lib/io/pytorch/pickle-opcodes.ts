// The opcodes of pickle protocols 2 to 5 that make plain data, each with what it does to the machine. Absent on purpose:
// the text opcodes of protocol 0, extension codes (names registered with numbers), and buffers outside the pickle.

import type { PickleMachine } from "./pickle-machine.js";
import type { PickledValue } from "./pickle-values.js";

type Step = (m: PickleMachine) => void;

const table: readonly (readonly [code: number, name: string, step: Step])[] = [
  [0x80, "PROTO", (m) => m.checkProtocol(m.bytes.byte())],
  [0x95, "FRAME", (m) => void m.bytes.uint64()], // a hint for readers of streams

  [0x4e, "NONE", (m) => m.push(null)],
  [0x88, "NEWTRUE", (m) => m.push(true)],
  [0x89, "NEWFALSE", (m) => m.push(false)],
  [0x4a, "BININT", (m) => m.push(m.bytes.int32())],
  [0x4b, "BININT1", (m) => m.push(m.bytes.byte())],
  [0x4d, "BININT2", (m) => m.push(m.bytes.uint16())],
  [0x8a, "LONG1", (m) => m.push(toInteger(m.bytes.bytes(m.bytes.byte())))],
  [0x8b, "LONG4", (m) => m.push(toInteger(m.bytes.bytes(m.bytes.uint32())))],
  [0x47, "BINFLOAT", (m) => m.push(m.bytes.float64())],

  [0x8c, "SHORT_BINUNICODE", (m) => m.push(m.bytes.text(m.bytes.byte()))],
  [0x58, "BINUNICODE", (m) => m.push(m.bytes.text(m.bytes.uint32()))],
  [0x8d, "BINUNICODE8", (m) => m.push(m.bytes.text(m.bytes.uint64()))],
  [0x55, "SHORT_BINSTRING", (m) => m.push(m.bytes.text(m.bytes.byte()))], // the text of Python 2
  [0x54, "BINSTRING", (m) => m.push(m.bytes.text(m.bytes.uint32()))],
  [0x43, "SHORT_BINBYTES", (m) => m.pushNew(m.bytes.bytes(m.bytes.byte()))],
  [0x42, "BINBYTES", (m) => m.pushNew(m.bytes.bytes(m.bytes.uint32()))],
  [0x8e, "BINBYTES8", (m) => m.pushNew(m.bytes.bytes(m.bytes.uint64()))],
  [0x96, "BYTEARRAY8", (m) => m.pushNew(m.bytes.bytes(m.bytes.uint64()))],

  [0x28, "MARK", (m) => m.mark()],
  [0x29, "EMPTY_TUPLE", (m) => m.pushNew([])],
  [0x85, "TUPLE1", (m) => m.pushNew(m.popMany(1))],
  [0x86, "TUPLE2", (m) => m.pushNew(m.popMany(2))],
  [0x87, "TUPLE3", (m) => m.pushNew(m.popMany(3))],
  [0x74, "TUPLE", (m) => m.pushNew(m.popToMark())],
  [0x5d, "EMPTY_LIST", (m) => m.pushNew([])],
  [0x61, "APPEND", (m) => m.append(m.popMany(1))],
  [0x65, "APPENDS", (m) => m.append(m.popToMark())],
  [0x7d, "EMPTY_DICT", (m) => m.pushNew(new Map())],
  [0x73, "SETITEM", (m) => m.setItems(m.popMany(2))],
  [0x75, "SETITEMS", (m) => m.setItems(m.popToMark())],
  [0x8f, "EMPTY_SET", (m) => m.pushNew(new Set())],
  [0x90, "ADDITEMS", (m) => m.addItems(m.popToMark())],
  [0x91, "FROZENSET", (m) => m.pushNew(new Set(m.popToMark()))],

  [0x30, "POP", (m) => m.discard()],
  [0x31, "POP_MARK", (m) => void m.popToMark()],
  [0x32, "DUP", (m) => m.push(m.top())],
  [0x71, "BINPUT", (m) => m.memorize(m.bytes.byte())],
  [0x72, "LONG_BINPUT", (m) => m.memorize(m.bytes.uint32())],
  [0x94, "MEMOIZE", (m) => m.memorize()],
  [0x68, "BINGET", (m) => m.push(m.recall(m.bytes.byte()))],
  [0x6a, "LONG_BINGET", (m) => m.push(m.recall(m.bytes.uint32()))],

  [0x63, "GLOBAL", (m) => m.pushName(m.bytes.line(), m.bytes.line())],
  [0x93, "STACK_GLOBAL", (m) => m.pushName(...(m.popMany(2) as [PickledValue, PickledValue]))],
  [0x51, "BINPERSID", (m) => m.pushNew(m.persistentLoad(m.pop()))],
  [0x52, "REDUCE", (m) => m.call()],
  [0x81, "NEWOBJ", (m) => m.call()],
  [0x62, "BUILD", (m) => m.build()],
];

/** Ends a pickle. */
export const STOP = 0x2e;

/** What each opcode does, by its number. */
export const steps: ReadonlyMap<number, Step> = new Map(table.map(([code, , step]) => [code, step]));

/** A little-endian two's-complement integer of any length. */
function toInteger(bytes: Uint8Array): number | bigint {
  if (bytes.byteLength === 0) return 0;
  const digits = Buffer.from(bytes).reverse().toString("hex");
  const value = BigInt.asIntN(8 * bytes.byteLength, BigInt(`0x${digits}`));
  const short = Number(value);
  return Number.isSafeInteger(short) ? short : value;
}
