import { expect, test } from "vitest";
import { fnv1a, philox4x32, RandomStream } from "#lib/random.js";

const hex = (words: number[]) => words.map((word) => word.toString(16).padStart(8, "0")).join(" ");

test("Philox4x32-10 known answers of its authors", () => {
  const ones = 0xffffffff;
  expect(hex(philox4x32([0, 0, 0, 0], [0, 0]))).toBe("6627e8d5 e169c58d bc57ac4c 9b00dbd8");
  expect(hex(philox4x32([ones, ones, ones, ones], [ones, ones]))).toBe("408f276d 41c83b0e a20bc7c6 6d5451fd");
  expect(hex(philox4x32([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0]))).toBe(
    "d16cfe09 94fdcceb 5001e420 24126ea1",
  );
});

test("a stream is a function of seed, purpose and place", () => {
  const draw = (seed: number, purpose: string, place?: number[]) => {
    const stream = new RandomStream(seed, purpose, place);
    return hex(Array.from({ length: 8 }, () => stream.bits()));
  };
  expect(draw(7, "a", [1, 2, 3])).toBe(draw(7, "a", [1, 2, 3]));
  const others = [
    draw(7, "a", [1, 2, 3]),
    draw(8, "a", [1, 2, 3]),
    draw(7 + 2 ** 32, "a", [1, 2, 3]),
    draw(7, "b", [1, 2, 3]),
    draw(7, "a", [2, 2, 3]),
    draw(7, "a", [1, 3, 3]),
    draw(7, "a", [1, 2, 4]),
    draw(7, "a"),
  ];
  expect(new Set(others).size).toBe(others.length);
});

test("uniform numbers lie in [0, 1) with the right mean and variance", () => {
  const stream = new RandomStream(1, "uniform");
  const values = Array.from({ length: 20000 }, () => stream.uniform());
  expect(Math.min(...values)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...values)).toBeLessThan(1);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  expect(Math.abs(mean - 0.5)).toBeLessThan(0.01);
  expect(Math.abs(variance - 1 / 12)).toBeLessThan(0.005);
});

test("integers are even over their range", () => {
  const stream = new RandomStream(1, "integer");
  const counts = [0, 0, 0, 0, 0];
  for (let i = 0; i < 20000; i++) counts[stream.integer(5)]++;
  for (const count of counts) expect(Math.abs(count - 4000)).toBeLessThan(5 * Math.sqrt(4000 * 0.8));
  expect(stream.integer(1)).toBe(0);
  expect(stream.integer(2 ** 32)).toBeLessThan(2 ** 32);
});

test("a shuffle keeps the items and reaches every order", () => {
  const orders = new Set<string>();
  for (let i = 0; i < 300; i++) orders.add(new RandomStream(1, "shuffle", [i]).shuffle([1, 2, 3]).join(""));
  expect([...orders].sort()).toEqual(["123", "132", "213", "231", "312", "321"]);
});

test("mistakes are refused", () => {
  expect(() => new RandomStream(-1, "x")).toThrow(/seed/);
  expect(() => new RandomStream(0.5, "x")).toThrow(/seed/);
  expect(() => new RandomStream(0, "x", [1, 2, 3, 4])).toThrow(/at most three/);
  expect(() => new RandomStream(0, "x").integer(0)).toThrow(/integer/);
});

test("fnv1a of known strings", () => {
  expect([fnv1a(""), fnv1a("a"), fnv1a("foobar")]).toEqual([0x811c9dc5, 0xe40c292c, 0xbf9cf968]);
});
